"""The sample catalogue: 17,472 films of 1940-2014 from Wikidata, CC0, from the package bokeh-sampledata.

It has no IMDb scores (all empty), so scores are the Rotten Tomatoes critics'; no descriptions and no characters; casts
are in alphabetical order. Its `ID` is the number of the film's Wikidata item (Q595 is The
Intouchables), and unique; two of its imdbIDs occur twice.
"""

import importlib.util
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from app.db.core import DatabaseError, Row, driver_errors, get_collection, person_id, split_names
from app.db.films import ranking
from app.db.records import Counts, Settled, bulk
from app.db.schema import deferred_indexes, missing_indexes
from app.db.search import derived

DATABASE = "movies.db"
_PEOPLE = {"DIRECTOR": "Director", "WRITER": "Writer", "ACTOR": "Cast"}
_FILMS = """
    SELECT o.ID, o.imdbID, o.Title, o.Year, o.Rating AS certification, o.Runtime, o.Genre, o.Country,
           o.Director, o.Writer, o."Cast", t.Rating AS critics_score, t.Reviews AS critics_reviews
    FROM omdb AS o LEFT JOIN tomatoes AS t ON t.ID = o.ID ORDER BY o.ID
"""


class SampleUnreadable(DatabaseError):
    """The source is missing or isn't the sample catalogue."""


def find_source() -> Path:
    """movies.db of the installed bokeh-sampledata. Raises SampleUnreadable if it isn't installed."""
    package = importlib.util.find_spec("bokeh_sampledata")
    for folder in (package and package.submodule_search_locations) or ():
        path = Path(folder) / "_data" / DATABASE
        if path.exists():
            return path
    raise SampleUnreadable("bokeh-sampledata is not installed; name its wheel or movies.db with --source")


class Sample:
    """The catalogue in memory, read from movies.db or its wheel. Raises SampleUnreadable."""

    def __init__(self, source: Path) -> None:
        try:
            content = source.read_bytes() if not zipfile.is_zipfile(source) else _from_wheel(source)
            with closing(sqlite3.connect(":memory:")) as database:
                database.deserialize(content)
                database.row_factory = sqlite3.Row
                self._rows = database.execute(_FILMS).fetchall()
        except (OSError, sqlite3.Error, zipfile.BadZipFile) as error:
            raise SampleUnreadable(f"{source} is not the sample catalogue: {error}") from error

    def __len__(self) -> int:
        return len(self._rows)

    def films(self) -> Iterator[Row]:
        """A document for each film."""
        for row in self._rows:
            yield {
                "_id": _movie_id(row),
                "title": row["Title"],
                "type": "MOVIE",
                "release_year": row["Year"],
                "age_certification": row["certification"],
                "runtime": row["Runtime"],
                "genres": row["Genre"],
                "production_countries": row["Country"],
                "imdb_id": row["imdbID"],
                "critics_score": row["critics_score"],
                "critics_reviews": row["critics_reviews"],
            }

    def credits(self) -> Iterator[Row]:
        """A document for each credit."""
        for row in self._rows:
            for role, column in _PEOPLE.items():
                for name in split_names(row[column]):
                    yield {
                        "movie_id": _movie_id(row),
                        "person_id": person_id(name),
                        "name": name,
                        "role": role,
                    }


def _from_wheel(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if Path(name).name == DATABASE]
        if len(names) != 1:
            raise SampleUnreadable(f"{wheel} holds {len(names)} files named {DATABASE}, not one")
        return archive.read(names[0])


def _movie_id(row: sqlite3.Row) -> str:
    return f"Q{row['ID']}"


def load(sample: Sample, progress: Callable[[str, int], Callable[[Settled], None]]) -> tuple[dict[str, Counts], int]:
    """Load films, rank them, and load their credits; does next to nothing when all of them exist.

    `progress(collection, expected)` returns a function that is called with the progress of that load.
    Returns the counts of each collection, and how many ranking scores changed. Raises LoadStopped.
    """
    credits = list(sample.credits())
    if _is_loaded([film["_id"] for film in sample.films()], len(credits)):
        counts = {"movies": Counts(existing=len(sample)), "credits": Counts(existing=len(credits))}
        return counts, ranking.recompute()
    with deferred_indexes("movies"):
        movies = bulk.load("movies", enumerate(sample.films()), on_progress=progress("movies", len(sample)))
        rescored = ranking.recompute()  # here, while there are no indexes on the score to keep up to date
    with deferred_indexes("credits"):
        credited = bulk.load("credits", enumerate(credits), on_progress=progress("credits", len(credits)))
    if movies.inserted or credited.inserted or derived.missing():
        with deferred_indexes("people", "search_words"):
            derived.refresh()
    return {"movies": movies, "credits": credited}, rescored


@driver_errors()
def has_others(sample: Sample) -> bool:
    """Whether the database has films that aren't the sample's."""
    return get_collection("movies").find_one({"_id": {"$nin": [film["_id"] for film in sample.films()]}}) is not None


@driver_errors()
def _is_loaded(films: list[str], credits: int) -> bool:
    """Whether the database has all these films, that number of credits for them, all indexes and derived collections.

    Counting is enough, but doesn't notice a deleted credit if another one was added to the sample's films.
    """
    if missing_indexes() or derived.missing():
        return False
    return (
        get_collection("movies").count_documents({"_id": {"$in": films}}) == len(films)
        and get_collection("credits").count_documents({"movie_id": {"$in": films}}) == credits
    )
