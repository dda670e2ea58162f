"""The ranking score of films: the Bayesian weighted rating (v/(v+m))*R + (m/(v+m))*C.

R is a film's score and v the number of votes or reviews behind it, from the first of SOURCES of which it has both.
C is the mean of R over all films rated by that source. m is the count that PERCENTILE of them don't exceed: a film
needs as many votes as the better known quarter has before its own score outweighs the mean. IMDb's Top 250, where the
formula comes from, fixes m by hand (25,000 votes); a percentile fits every source. A film that nobody rated has v = 0
and so gets the mean of all.
"""

from typing import Any

from pymongo.client_session import ClientSession

from app.db.connection import Row, driver_errors, get_collection, time_limit

SOURCES = {"imdb": ("imdb_score", "imdb_votes"), "critics": ("critics_score", "critics_reviews")}
PERCENTILE = 0.75
DECIMALS = 6
MIDDLE_OF_SCALE = 5.0  # scores go from 0 to 10; used as long as no film at all is rated
RECOMPUTE_TIMEOUT_S = 600.0

NAME = "ranking"  # the parameters in use: {_id: source, mean: C, minimum: m, films}


@driver_errors()
def recompute() -> int:
    """Take C and m from the films that are there and give every film its score; returns how many scores changed.

    One pass over the collection for each source and one to write; to be called after loads.
    """
    with time_limit(RECOMPUTE_TIMEOUT_S):
        parameters = [found for source in SOURCES if (found := _measure(source))]
        for row in parameters:
            get_collection(NAME).replace_one({"_id": row["_id"]}, row, upsert=True)
        get_collection(NAME).delete_many({"_id": {"$nin": [row["_id"] for row in parameters]}})
        return _apply({}, parameters)


def rank(movie_id: str, title_hash: int, session: ClientSession) -> None:
    """Give one film its score by the parameters of the last `recompute`, within the transaction that writes it."""
    _apply({"_id": movie_id, "title_hash": title_hash}, list(get_collection(NAME).find(session=session)), session)


def rank_all(movie_ids: list[str], session: ClientSession) -> None:
    """As `rank`, for several films and within a transaction."""
    _apply({"_id": {"$in": movie_ids}}, list(get_collection(NAME).find(session=session)), session)


def _measure(source: str) -> Row | None:
    """C and m of a source; None when it rated no film."""
    score, count = SOURCES[source]
    rows = list(
        get_collection("movies").aggregate(
            [
                {"$match": {score: {"$type": "number"}, count: {"$type": "number"}}},
                {"$group": {"_id": f"${count}", "films": {"$sum": 1}, "scores": {"$sum": f"${score}"}}},
            ]
        )
    )
    films = sum(row["films"] for row in rows)
    if not films:
        return None
    seen, minimum = 0, 0
    for row in sorted(rows, key=lambda row: row["_id"]):
        seen, minimum = seen + row["films"], row["_id"]
        if seen >= PERCENTILE * films:
            break
    mean = sum(row["scores"] for row in rows) / films
    # A source that only ever counted to zero has m = 0, and 0/0 is no score.
    return {"_id": source, "mean": round(mean, DECIMALS), "minimum": max(minimum, 1), "films": films}


def _apply(query: Row, parameters: list[Row], session: ClientSession | None = None) -> int:
    """One statement that each shard executes by itself; a score that stays the same is not written."""
    films = sum(row["films"] for row in parameters)
    mean = sum(row["mean"] * row["films"] for row in parameters) / films if films else MIDDLE_OF_SCALE
    by_source = {row["_id"]: row for row in parameters}
    branches = [_branch(*SOURCES[source], by_source[source]) for source in SOURCES if source in by_source]
    rating: Any = {"$switch": {"branches": branches, "default": mean}} if branches else mean
    update = [{"$set": {"ranking_score": {"$round": [rating, DECIMALS]}}}]
    return get_collection("movies").update_many(query, update, session=session).modified_count


def _branch(score: str, count: str, parameters: Row) -> Row:
    votes, mean, minimum = f"${count}", parameters["mean"], parameters["minimum"]
    weighted = {"$add": [{"$multiply": [votes, f"${score}"]}, minimum * mean]}
    return {
        "case": {"$and": [{"$isNumber": f"${score}"}, {"$isNumber": votes}]},
        "then": {"$divide": [weighted, {"$add": [votes, minimum]}]},
    }
