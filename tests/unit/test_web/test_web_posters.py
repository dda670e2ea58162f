"""Posters over HTTP: upload, display, caching."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pictures import decoded, encoded, picture
from web_visitor import XSS, Maker, Visitor
from werkzeug.test import TestResponse

from app.admin import posters as pages
from app.db import operations
from app.db.core import audit
from ops.local_cluster import LocalCluster

PAGE = "/collections/movies/P1/poster"
JPEG = encoded(picture())


@pytest.fixture(autouse=True)
def _film(library: LocalCluster, visitor: Visitor, boss: Visitor) -> Iterator[None]:
    """A film. Both apps use the admin app's connection."""
    operations.insert_one("movies", {"_id": "P1", "title": XSS, "type": "MOVIE", "genres": ["drama"]})
    yield
    with library.client() as client:
        database = client.movie_library
        for name, field in (
            ("movies", "_id"),
            ("movie_ids", "_id"),
            ("posters", "movie_id"),
            (audit.LOG, "document_id"),
        ):
            database[name].delete_many({field: "P1"})


def send(visitor: Visitor, content: bytes = JPEG, name: str = "poster.jpg", **data: Any) -> TestResponse:
    return visitor.send(PAGE, {"picture": (io.BytesIO(content), name), **data})


def address(size: str = "small") -> str:
    return f"/posters/P1/{operations.find_document('movies', 'P1')['poster']}-{size}.webp"


def test_a_poster_is_uploaded_shown_and_removed(boss: Visitor, visitor: Visitor) -> None:
    film = boss.get("/collections/movies/P1").text
    assert f'href="{PAGE}">Add poster</a>' in film
    assert visitor.get("/films/P1").text.count("<img") == 0

    answer = send(boss)
    assert (answer.status_code, answer.location) == (303, PAGE)
    page = boss.get(PAGE).text
    assert "The poster has been saved." in page
    assert f'src="{address("large")}"' in page
    assert f'src="{address("large")}"' in visitor.get("/films/P1").text
    assert f'src="{address()}" srcset="{address("large")} 2x"' in visitor.get("/search?q=alert+sons").text

    assert boss.send(f"{PAGE}/remove", form_on=PAGE).status_code == 303
    assert "has no image" in boss.get(PAGE).text
    assert visitor.get("/films/P1").text.count("<img") == 0
    actions = [row["poster"] for row in audit.list_page(document_id="P1").rows]
    assert actions == ["removed", "added"]


def test_poster_changes_are_in_the_audit_log(boss: Visitor, root: Visitor) -> None:
    send(boss)
    assert "Poster added" in root.get("/audit-log?document_id=P1").text


@pytest.mark.parametrize(("size", "pixels"), [("small", (200, 300)), ("large", (400, 600))])
def test_both_apps_let_caches_keep_posters(boss: Visitor, make_app: Maker, size: str, pixels: tuple[int, int]) -> None:
    send(boss)
    path = address(size)
    to_admin = boss.get(path)
    to_visitor = Visitor(make_app("user")).get(path)  # uses the user app's database user from here on
    for answer, caches in ((to_admin, "private"), (to_visitor, "public")):
        assert (answer.status_code, answer.content_type) == (200, "image/webp")
        assert decoded(answer.data).size == pixels
        assert set(answer.headers["Cache-Control"].split(", ")) == {caches, "max-age=31536000", "immutable"}
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not {"Set-Cookie", "Vary"} & set(to_visitor.headers.keys())  # caches may share it


def test_a_cached_poster_is_not_sent_again(boss: Visitor, visitor: Visitor) -> None:
    send(boss)
    tag = visitor.get(address()).headers["ETag"]
    again = visitor.get(address(), headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert "immutable" in again.headers["Cache-Control"]
    assert visitor.get(address("large"), headers={"If-None-Match": tag}).status_code == 200
    assert visitor.client.head(address()).data == b""


def test_an_old_version_redirects_to_the_current_one(boss: Visitor, visitor: Visitor) -> None:
    send(boss)
    old = address()
    send(boss, encoded(picture(colour="red")))
    assert old != address()
    answer = visitor.get(old)
    assert (answer.status_code, answer.location) == (302, address())
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["Q1/0-small", "nothing/0-small", "P1/0-small", "bulk/0-small", f"{'x' * 99}/0-small", "P1/%24ne-%7B%7D"]
)
def test_a_missing_poster_is_404(visitor: Visitor, path: str) -> None:
    answer = visitor.get(f"/posters/{path}.webp")
    assert answer.status_code == 404
    assert "immutable" not in answer.headers["Cache-Control"]


@pytest.mark.parametrize("size", ["medium", "by", "version", "_id"])
def test_there_are_two_sizes(boss: Visitor, visitor: Visitor, size: str) -> None:
    send(boss)
    assert visitor.get(address(size)).status_code == 404


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "empty.png", "isn&#39;t a JPEG"),
        (b"<script>alert(1)</script>", "poster.jpg", "isn&#39;t a JPEG"),
        (JPEG[:-200], f"../{XSS}.jpg", "broken or incomplete"),
        (encoded(picture(size=(1, 1)), "PNG"), "dot.png", "1 by 1"),
    ],
)
def test_other_files_are_refused_beside_the_field(boss: Visitor, content: bytes, name: str, says: str) -> None:
    answer = send(boss, content, name)
    assert answer.status_code == 422
    (problem,) = re.findall(r'<p class="field-error" id="picture-error">([^<]*)</p>', answer.text)
    assert says in problem
    assert "<script>alert" not in answer.text
    assert "poster" not in operations.find_document("movies", "P1")


def test_a_missing_image_is_refused(boss: Visitor) -> None:
    assert "Choose an image." in boss.send(PAGE, {}).text
    assert "Choose an image." in boss.send(PAGE, {"picture": "no file"}).text


def test_only_editors_may_upload_large_files(boss: Visitor, guest: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    large = JPEG + bytes(300_000)
    assert send(boss, large).status_code == 303
    assert boss.post(PAGE, {"picture": (io.BytesIO(JPEG), "x.jpg")}).status_code == 400  # no token
    assert Visitor(guest.app).post(PAGE, {"picture": (io.BytesIO(large), "x.jpg")}).status_code in (400, 413)
    monkeypatch.setattr(pages, "UPLOAD_MAX_BYTES", 280_000)
    assert send(boss, large).status_code == 413


def test_a_too_large_image_shows_the_limit_and_the_form(boss: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "UPLOAD_MAX_BYTES", 1 << 20)
    answer = send(boss, JPEG + bytes(2 << 20))
    assert answer.status_code == 413
    assert 'id="picture-error">The image is too large: the limit is 1 MB.</p>' in answer.text
    assert f'action="{PAGE}"' in answer.text
    anonymous = Visitor(boss.app).post(PAGE, {"picture": (io.BytesIO(bytes(2 << 20)), "x.jpg")})
    assert (anonymous.status_code, "picture-error" in anonymous.text) == (413, False)


@pytest.mark.parametrize("path", ["nothing/poster", "nothing/poster/remove", f"{'x' * 99}/poster", "bulk/poster"])
def test_a_missing_film_gets_no_poster(boss: Visitor, path: str) -> None:
    answer = boss.send(f"/collections/movies/{path}", {"picture": (io.BytesIO(JPEG), "x.jpg")}, form_on=PAGE)
    assert answer.status_code == 404


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(st.binary(max_size=400), st.binary(max_size=40).map(lambda tail: JPEG[:300] + tail)),
    name=st.text(max_size=20),
    kind=st.sampled_from(["image/jpeg", "text/html", "image/svg+xml", ""]),
)
def test_no_upload_makes_the_server_fail(boss: Visitor, content: bytes, name: str, kind: str) -> None:
    answer = boss.send(PAGE, {"picture": (io.BytesIO(content), name, kind)})
    assert answer.status_code in {303, 422}
