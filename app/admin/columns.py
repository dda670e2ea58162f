"""What the list pages show of each collection. A field that isn't named here is never sent to a browser."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A field as a column: its heading, and how its values are written (a macro of `admin/cells.html`)."""

    field: str
    heading: str
    kind: str = "text"


@dataclass(frozen=True)
class View:
    """A collection's list: its name for people, what is in it, columns and the first order."""

    title: str
    about: str
    columns: tuple[Column, ...]
    sort: str
    descending: bool = False


VIEWS = {
    "movies": View(
        "Movies",
        "Films and shows with their ratings",
        (
            Column("title", "Title", "title"),
            Column("release_year", "Year", "year"),
            Column("type", "Type"),
            Column("genres", "Genres", "list"),
            Column("runtime", "Minutes", "number"),
            Column("age_certification", "Certificate"),
            Column("critics_score", "Rotten Tomatoes", "score"),
            Column("critics_reviews", "Reviews", "number"),
            Column("imdb_score", "IMDb", "score"),
            Column("ranking_score", "Weighted", "score"),
            Column("_id", "Id", "code"),
        ),
        sort="ranking_score",
        descending=True,
    ),
    "credits": View(
        "Credits",
        "Who directed, wrote and played",
        (
            Column("name", "Name", "title"),
            Column("role", "Role"),
            Column("character", "Character"),
            Column("movie_id", "Film", "code"),
            Column("person_id", "Person", "code"),
            Column("_id", "Id", "code"),
        ),
        sort="name",
    ),
    "users": View(
        "Users",
        "Accounts of both apps",
        (
            Column("username", "Name", "title"),
            Column("admin_status", "Rights", "rights"),
            Column("created_at", "Since", "time"),
            Column("_id", "Id", "code"),
        ),
        sort="username",
    ),
    "user_interactions": View(
        "Interactions",
        "Favourites: which user likes which film",
        (
            Column("created_at", "When", "time"),
            Column("user_id", "User", "code"),
            Column("movie_id", "Film", "code"),
            Column("_id", "Id", "code"),
        ),
        sort="created_at",
        descending=True,
    ),
}
