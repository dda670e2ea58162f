"""flask-admin's MongoEngine view of the same collection: seconds for its first, middle and last page, as JSON.

Run in the peers' environment: flask_admin_lists.py URI DATABASE FILMS ROWS TIMES
"""

from __future__ import annotations

import json
import sys
import time

import mongoengine
from flask import Flask
from flask.testing import FlaskClient
from flask_admin import Admin
from flask_admin.contrib.mongoengine import ModelView

COLUMNS = (
    *("title", "release_year", "type", "genres", "runtime", "age_certification", "critics_score", "critics_reviews"),
    *("imdb_score", "ranking_score", "id"),
)


class Movie(mongoengine.Document):
    """The columns that our list shows."""

    id = mongoengine.StringField(primary_key=True)
    title = mongoengine.StringField()
    release_year = mongoengine.IntField()
    type = mongoengine.StringField()
    genres = mongoengine.ListField(mongoengine.StringField())
    runtime = mongoengine.IntField()
    age_certification = mongoengine.StringField()
    critics_score = mongoengine.FloatField()
    critics_reviews = mongoengine.IntField()
    imdb_score = mongoengine.FloatField()
    ranking_score = mongoengine.FloatField()
    meta = {"collection": "movies", "strict": False, "auto_create_index": False}  # noqa: RUF012 - as MongoEngine has it


class View(ModelView):
    """As in flask-admin's documentation, with our columns."""

    column_list = COLUMNS
    column_sortable_list = ("title", "release_year", "runtime", "ranking_score")
    column_filters = ("title", "release_year")


def timed(client: FlaskClient, address: str, times: int) -> list[float]:
    taken = []
    for _ in range(times + 1):
        began = time.perf_counter()
        response = client.get(address)
        taken.append(time.perf_counter() - began)
        if response.status_code != 200 or b"<td" not in response.data:
            raise SystemExit(f"{address}: {response.status_code}\n{response.text[:2000]}")
    return taken[1:]


def main(uri: str, database: str, films: int, rows: int, times: int) -> None:
    mongoengine.connect(db=database, host=uri)
    app = Flask(__name__)
    app.secret_key = "unused"  # noqa: S105 - protects nothing
    View.page_size = rows
    Admin(app, name="peer").add_view(View(Movie, endpoint="movies"))
    client = app.test_client()
    last = (films - 1) // rows
    pages = {"first": 0, "middle": last // 2, "last": last}
    result = {
        place: timed(client, f"/admin/movies/?page={page}&sort={COLUMNS.index('title')}", times)
        for place, page in pages.items()
    }
    result["year filter"] = timed(client, "/admin/movies/?flt1_0=1994", times) if films else []
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]))
