"""The admin app's list pages and filters, beside flask-admin's MongoEngine view of the same collection."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import urlencode

from flask.testing import FlaskClient

from app.db.core import Order, get_collection, sortable_fields
from bench import peer
from bench.library import Library, admin_client
from bench.measure import Figure, milliseconds, percentile, time_calls

ROWS = 50
TIMES = 40
PEER_TIMES = 10  # its last page is slow
PLACES = ("first", "middle", "last")

# One condition for each indexed field, as an administrator would enter it.
FILTERS = (
    "title.eq.The Long Goodbye",
    "release_year.eq.1994",
    "release_year.between.1990..1999",
    "runtime.gte.200",
    "type.eq.SHOW",
    "genres.contains.drama",
    "ranking_score.gt.8",
    "_id.eq.synthetic-00000042",
)
UNINDEXED = "description.contains.nowhere to be found"
BUSY_USERS = 2  # who run the unindexed filter while another one pages


def measure(library: Library) -> list[Figure]:
    """Server time for pages and filters, beside the peer's."""
    client = admin_client(library)
    pages = {place: _pages(client, library, place) for place in PLACES}
    theirs = peer.run("flask_admin_lists", library.uri, library.database, *map(str, (library.films, ROWS, PEER_TIMES)))
    return [*_page_figures(pages, theirs), *_filter_figures(client)]


def _pages(client: FlaskClient, library: Library, place: str) -> dict[str, list[float]]:
    """By sort field, the seconds that the page at this place in the order takes."""
    return {
        field: time_calls(partial(_get, client, _address(library, field, place)), TIMES)
        for field in sortable_fields("movies")
    }


def _address(library: Library, field: str, place: str) -> str:
    query: dict[str, object] = {"sort": field, "dir": "asc", "rows": ROWS}
    if place == "middle":
        order = Order(field)
        found = get_collection("movies").find({}, {field: 1}).sort(order.keys(backwards=False))
        row = found.skip(library.films // 2).limit(1).next()
        query["after"] = order.cursor_at(row)
    elif place == "last":
        query["last"] = 1
    return f"/collections/movies?{urlencode(query)}"


def _get(client: FlaskClient, address: str) -> None:
    response = client.get(address)
    if response.status_code != 200 or "<td" not in response.text:
        raise RuntimeError(f"{address} answered {response.status_code}")


def _page_figures(pages: dict[str, dict[str, list[float]]], theirs: dict[str, list[float]]) -> Iterator[Figure]:
    slowest = {place: max(percentile(taken, 0.95) for taken in pages[place].values()) for place in PLACES}
    deepest = max(slowest["middle"], slowest["last"]) / slowest["first"]
    for place in PLACES:
        p95 = slowest[place]
        yield Figure(
            f"{place} page of {ROWS}, slowest of {len(pages[place])} sorts, p95",
            milliseconds(p95),
            aim="< 50 ms",
            met=p95 < 0.05,
        )
    yield Figure("deepest page / first page", f"{deepest:.2f} x", aim="<= 1.5 x", met=deepest <= 1.5)
    for place, aim in (("first", None), ("middle", 10), ("last", 18)):
        ours, peers = percentile(pages[place]["title"], 0.5), percentile(theirs[place], 0.5)
        ratio = peers / ours
        yield Figure(
            f"{place} page by title, median, flask-admin",
            milliseconds(ours),
            milliseconds(peers),
            ratio,
            f">= {aim} x" if aim else "",
            ratio >= aim if aim else None,
        )


def _filter_figures(client: FlaskClient) -> Iterator[Figure]:
    for condition in FILTERS:
        address = f"/collections/movies?{urlencode({'filter': condition, 'rows': ROWS})}"
        p95 = percentile(time_calls(partial(client.get, address), TIMES), 0.95)
        yield Figure(f"filter {condition}, p95", milliseconds(p95), aim="< 100 ms", met=p95 < 0.1)
    address = f"/collections/movies?{urlencode({'filter': UNINDEXED, 'rows': ROWS})}"
    yield Figure("filter without an index", milliseconds(percentile(time_calls(partial(client.get, address), 1), 1)))
    first = "/collections/movies?sort=title"
    alone = percentile(time_calls(partial(_get, client, first), TIMES), 0.95)
    with _busy(client, address):
        beside = percentile(time_calls(partial(_get, client, first), TIMES), 0.95)
    yield Figure(
        f"first page while {BUSY_USERS} users run that filter; alone, p95", milliseconds(beside), milliseconds(alone)
    )


@contextmanager
def _busy(client: FlaskClient, address: str) -> Iterator[None]:
    """Users request the address again and again."""
    stop = threading.Event()

    def ask() -> None:
        own = client.application.test_client()
        with client.session_transaction() as mine, own.session_transaction() as theirs:
            theirs.update(mine)
        while not stop.is_set():
            own.get(address)

    threads = [threading.Thread(target=ask) for _ in range(BUSY_USERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
