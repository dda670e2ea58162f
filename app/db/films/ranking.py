"""The ranking score of films: the Bayesian weighted rating (v/(v+m))*R + (m/(v+m))*C.

R is a film's score and v the number of votes or reviews behind it, from the first of SOURCES where it has both.
C is the mean of R over all films rated by that source. m is the count that PERCENTILE of them don't exceed: a film
needs as many votes as the better known quarter has before its own score outweighs the mean. IMDb's Top 250, where the
formula comes from, fixes m by hand (25,000 votes); a percentile fits every source. An unrated film has v = 0
and gets the mean.

New films shift C and m a little, and with them every score. As long as the shift is negligible, the parameters stay,
and only films without a score get one.
"""

from typing import Any

from pymongo.client_session import ClientSession

from app.db.core import Row, driver_errors, get_collection, time_limit

SOURCES = {"imdb": ("imdb_score", "imdb_votes"), "critics": ("critics_score", "critics_reviews")}
PERCENTILE = 0.75
DECIMALS = 6
MIDDLE_OF_SCALE = 5.0  # of scores from 0 to 10; used while no film is rated
RECOMPUTE_TIMEOUT_S = 600.0

# How far C (in points) and m (relative) may be off before all films are rescored. The first moves a score by
# as much at most; the second by v*m/(v+m)^2 <= 1/4 of its part of |R-C| <= 10: together 0.035 points of 10.
MEAN_TOLERANCE = 0.01
MINIMUM_TOLERANCE = 0.01

# The parameters in use: {_id: source, mean: C, minimum: m, films, applied: whether all films have been scored by them}.
NAME = "ranking"


@driver_errors()
def recompute() -> int:
    """Measure C and m and rescore every film; returns how many scores changed. Call it after loads.

    If they differ negligibly from those in use, only films without a score get one. Takes one pass over the collection
    per source and at most one to write.
    """
    with time_limit(RECOMPUTE_TIMEOUT_S):
        parameters = [found for source in SOURCES if (found := _measure(source))]
        in_use = list(get_collection(NAME).find())
        if _still_good(in_use, parameters):
            return _apply({"ranking_score": None}, in_use)
        for row in parameters:
            get_collection(NAME).replace_one({"_id": row["_id"]}, row, upsert=True)
        get_collection(NAME).delete_many({"_id": {"$nin": [row["_id"] for row in parameters]}})
        changed = _apply({}, parameters)
        for row in parameters:  # last, so that after an interruption the next call starts over
            get_collection(NAME).update_one(row, {"$set": {"applied": True}})
        return changed


def _still_good(in_use: list[Row], measured: list[Row]) -> bool:
    """Whether all films are scored by parameters that differ negligibly from the measured ones."""
    found = {row["_id"]: row for row in measured}
    if not in_use or {row["_id"] for row in in_use} != found.keys():
        return False
    return abs(_mean(in_use) - _mean(measured)) <= MEAN_TOLERANCE and all(
        row.get("applied")
        and abs(found[row["_id"]]["mean"] - row["mean"]) <= MEAN_TOLERANCE
        and abs(found[row["_id"]]["minimum"] - row["minimum"]) <= MINIMUM_TOLERANCE * row["minimum"]
        for row in in_use
    )


@driver_errors()
def mean() -> float:
    """C by the parameters in use: an unrated film's score."""
    return round(_mean(list(get_collection(NAME).find())), DECIMALS)


def is_rated(movie: Row) -> bool:
    """Whether the film's ranking score is from its own ratings, not the mean."""
    return any(movie.get(score) is not None and movie.get(count) is not None for score, count in SOURCES.values())


def rank(movie_id: str, title_hash: int, session: ClientSession) -> None:
    """Score one film by the parameters of the last `recompute`, within the transaction that writes it."""
    _apply({"_id": movie_id, "title_hash": title_hash}, list(get_collection(NAME).find(session=session)), session)


def rank_all(movie_ids: list[str], session: ClientSession) -> None:
    """As `rank`, for several films and within a transaction."""
    _apply({"_id": {"$in": movie_ids}}, list(get_collection(NAME).find(session=session)), session)


def _measure(source: str) -> Row | None:
    """C and m of a source; None if it rated no film."""
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
    # m = 0 would give films without votes 0/0.
    return {"_id": source, "mean": round(mean, DECIMALS), "minimum": max(minimum, 1), "films": films}


def _mean(parameters: list[Row]) -> float:
    """The mean of all ratings, from whichever source."""
    films: int = sum(row["films"] for row in parameters)
    return sum(row["mean"] * row["films"] for row in parameters) / films if films else MIDDLE_OF_SCALE


def _apply(query: Row, parameters: list[Row], session: ClientSession | None = None) -> int:
    """One statement that each shard executes itself; unchanged scores aren't written."""
    mean = _mean(parameters)
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
