"""What pages show of each collection. Fields that aren't named here are never sent to a browser."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Column:
    """A field: its heading, how values are formatted (see `admin/cells.html`), and whether lists show it by default."""

    field: str
    heading: str
    kind: str = "text"
    shown: bool = True


@dataclass(frozen=True)
class View:
    """A collection: its title, the word for one record, a description, columns and the default order.

    The first column names a record: lists always show it, with a link to the record's page.
    """

    title: str
    one: str
    about: str
    columns: tuple[Column, ...]
    sort: str
    descending: bool = False

    @property
    def headings(self) -> dict[str, str]:
        """Field name -> heading."""
        return {column.field: column.heading for column in self.columns}

    def chosen(self, fields: tuple[str, ...]) -> tuple[Column, ...]:
        """The first column and those of these fields, in their order here."""
        return tuple(column for column in self.columns if column is self.columns[0] or column.field in fields)


VIEWS = {
    "movies": View(
        "Movies",
        "film",
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
            Column("imdb_votes", "IMDb votes", "number", shown=False),
            Column("tmdb_score", "TMDB", "score", shown=False),
            Column("tmdb_popularity", "TMDB popularity", "decimal", shown=False),
            Column("ranking_score", "Weighted", "score"),
            Column("description", "Description", "long", shown=False),
            Column("production_countries", "Countries", "list", shown=False),
            Column("seasons", "Seasons", "number", shown=False),
            Column("imdb_id", "IMDb ID", "code", shown=False),
            Column("poster", "Poster", "code", shown=False),
            Column("search_tokens", "Title words", "list", shown=False),
            Column("title_hash", "Title hash", "code", shown=False),
            Column("_id", "ID", "code"),
        ),
        sort="ranking_score",
        descending=True,
    ),
    "credits": View(
        "Credits",
        "credit",
        "Who directed, wrote and acted in films",
        (
            Column("name", "Name", "title"),
            Column("role", "Role"),
            Column("character", "Character"),
            Column("movie_id", "Film", "reference"),
            Column("person_id", "Person", "code"),
            Column("_id", "ID", "code"),
        ),
        sort="name",
    ),
    "users": View(
        "Users",
        "user",
        "Accounts of the user app",
        (
            Column("username", "Name", "title"),
            Column("created_at", "Since", "time"),
            Column("_id", "ID", "code"),
        ),
        sort="username",
    ),
    "user_interactions": View(
        "Likes",
        "like",
        "Which user likes which film",
        (
            Column("created_at", "When", "time"),
            Column("user_id", "User", "reference"),
            Column("movie_id", "Film", "reference"),
            Column("_id", "ID", "code"),
        ),
        sort="created_at",
        descending=True,
    ),
    "administrators": View(
        "Administrators",
        "administrator",
        "Accounts of this app",
        (
            Column("username", "Name", "title"),
            Column("admin_status", "Rights", "rights"),
            Column("created_at", "Since", "time"),
            Column("_id", "ID", "code"),
        ),
        sort="username",
    ),
}
