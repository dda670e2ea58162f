"""Every feature of both apps and of the command line, each with its own database user.

Every feature is every route and every command: `Features.missed` tells which weren't used.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import passkey_device
import pyotp
import pytest
from click.testing import CliRunner
from flask import Flask, Response, request
from interruption import ended_once_there_is
from passkey_device import Device
from pictures import encoded, picture
from pymongo.database import Database
from web_form import Form
from web_visitor import PASSWORD, SECRET, Visitor
from werkzeug.test import TestResponse

from app import admin, user
from app.cli import main
from app.db.jobs import runner
from app.db.likes import stray_likes
from ops.local_cluster import LocalCluster

OTHER = "four blind mice 1928"
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
MOVIES = "/collections/movies"
Rows = Database[dict[str, Any]]


def key_of(address: str) -> str:
    return address.rsplit("/", 1)[1]


class Features:
    """Uses the features of an installation: `cluster`'s database movie_library, empty at first."""

    def __init__(self, cluster: LocalCluster, sample: Path, directory: Path) -> None:
        self.cluster = cluster
        self.sample = sample
        self.directory = directory
        self.missed = set(main.commands)  # routes as app:endpoint

    def use_all(self) -> None:
        self.deploy()
        self.run("admin", "move-admins")
        self.run("admin", "create-admin", "rootadmin", "--superadmin", "--password-file", "-", stdin=f"{PASSWORD}\n")
        self.administer()
        self.visit()
        self.maintain()
        self.back_up()
        self.leave()

    # -- the deployment

    def deploy(self) -> None:
        """A new installation, and one that an earlier release and interrupted imports have left untidy."""
        self.run("deploy", "init-db")
        with self.inside() as database:
            database.movies.create_index("genres")
            database.movie_ids.insert_one({"_id": "never", "title_hash": 1, "at": LONG_AGO})
        self.run("deploy", "init-db")
        self.run("deploy", "load-sample", "--source", str(self.sample))
        with self.inside() as database:  # a film whose claim is there, and entries with wrong counts
            film = database.movies.find_one_and_delete({})
            assert film is not None
            database.people.update_many({}, {"$inc": {"films": 1}})
            database.people.insert_one({"_id": "gone", "name": "Gone", "name_norm": "gone", "words": [], "films": 1})
            database.search_words.update_many({}, {"$inc": {"films": 1}})
            database.search_words.insert_one({"_id": "gone", "films": 1, "people": 0})
            database.credits.delete_many({"movie_id": film["_id"]})
        self.run("deploy", "load-sample", "--source", str(self.sample))

    # -- the admin app

    def administer(self) -> None:
        with self.app("admin") as app:
            visitor = Visitor(app)
            self.log_in_first(visitor)
            self.look_away("admin_sessions")
            self.open_pages(visitor, "/", "/system", "/import", "/jobs", "/audit-log", "/pick/movies?q=film")
            self.edit_records(visitor)
            self.change_posters(visitor)
            self.save_views(visitor)
            self.edit_in_bulk(visitor)
            self.import_and_export(visitor)
            visitor.send("/log-out", form_on="/")

    def log_in_first(self, visitor: Visitor) -> None:
        """A superadmin's first log-in: an own password, a second factor; and all else that an account offers."""
        assert visitor.log_in("rootadmin").status_code == 302
        form = {"current": PASSWORD, "password": OTHER, "repeated": OTHER}
        assert visitor.send("/account/password", form).status_code == 302
        found = re.search(r'class="secret">([A-Z2-7 ]+)<', visitor.page("/second-factor/set-up"))
        assert found
        secret = found[1].replace(" ", "")
        answer = visitor.send("/second-factor/set-up", {"code": pyotp.TOTP(secret).now()})
        recovery = re.search(r"<li><code>([a-z2-7-]+)</code>", answer.text)
        assert recovery
        visitor.send("/log-out", form_on="/account")
        assert visitor.log_in("rootadmin", OTHER).status_code == 302
        assert visitor.send("/second-factor", {"code": recovery[1]}).status_code == 302
        assert visitor.send("/confirm", {"current": OTHER}).status_code == 302
        assert visitor.send("/second-factor/recovery-codes", form_on="/account").status_code == 200
        assert visitor.send("/account/sessions/end", {"session": "others"}, form_on="/account").status_code == 302
        self.use_a_passkey(visitor)

    @staticmethod
    def use_a_passkey(visitor: Visitor) -> None:
        device = Device()
        assert passkey_device.add(visitor, device).status_code == 302
        visitor.send("/log-out", form_on="/account")
        assert visitor.log_in("rootadmin", OTHER).status_code == 302
        assert passkey_device.use(visitor, device).status_code == 302
        key = re.search(r'name="passkey" value="([^"]+)"', visitor.page("/account"))
        assert key
        assert visitor.send("/passkeys/remove", {"passkey": key[1]}, form_on="/account").status_code == 302

    def edit_records(self, visitor: Visitor) -> None:
        """Each kind of record is added, changed and deleted."""
        film = self.record(visitor, "movies", {"title": "One", "type": "MOVIE"}, title="Another title", genres="drama")
        credit = {"movie_id": key_of(film), "name": "Ann Lee", "role": "ACTOR"}
        self.record(visitor, "credits", credit, name="Ann Lea")
        user = self.record(visitor, "users", {"username": "bob", "password": PASSWORD}, username="rob", password=OTHER)
        like = self.record(visitor, "user_interactions", {"user_id": key_of(user), "movie_id": key_of(film)})
        assert self.submit(visitor, f"{like}/edit", created_at="2026-01-01 00:00").status_code == 302
        administrator = {"username": "eve", "password": PASSWORD, "admin_status": "2"}
        admin = self.record(visitor, "administrators", administrator, admin_status="1")
        assert self.submit(visitor, f"{like}/delete").status_code == 302
        for record in (film, user, admin):
            assert self.submit(visitor, f"{record}/delete", cascade="1").status_code == 302

    def record(self, visitor: Visitor, kind: str, typed: dict[str, str], **changed: str) -> str:
        """The address of a new record that was changed."""
        page = f"/collections/{kind}"
        made = self.submit(visitor, f"{page}/new", **typed)
        assert made.status_code == 302, made.text
        self.open_pages(visitor, page, made.location)
        if changed:
            assert self.submit(visitor, f"{made.location}/edit", **changed).status_code == 302
        return str(made.location)

    def change_posters(self, visitor: Visitor) -> None:
        film = self.film()
        page = f"{MOVIES}/{film}/poster"
        for colour in ("red", "blue"):
            file = (io.BytesIO(encoded(picture(colour=colour))), "poster.png")
            assert visitor.send(page, {"picture": file}).status_code == 303
        shown = re.search(rf"/posters/{film}/[^\"]*-large.webp", visitor.page(page))
        assert shown
        self.open_pages(visitor, shown[0])
        assert visitor.send(f"{page}/remove", form_on=page).status_code == 303
        assert visitor.send(page, {"picture": (io.BytesIO(encoded(picture())), "poster.jpg")}).status_code == 303

    def save_views(self, visitor: Visitor) -> None:
        view = {**Form(visitor.page(MOVIES), f"{MOVIES}/views").values, "view": "Mine"}
        for _ in range(2):
            assert visitor.post(f"{MOVIES}/views", view).status_code == 302
        assert visitor.send(f"{MOVIES}/views/remove", {"view": "Mine"}, form_on=MOVIES).status_code == 302

    def edit_in_bulk(self, visitor: Visitor) -> None:
        everything = {"all": "1", "filter": "type.eq.MOVIE", "step": "run"}
        edit = {"action": "edit", "field": "genres", "operation": "add", "value": "loved"}
        for change in (edit, {"action": "delete", "confirm": str(self.films())}):
            job = self.done(visitor.send(f"{MOVIES}/bulk", {**everything, **change}, form_on=MOVIES))
            self.open_pages(visitor, job, f"{job}/state", f"{job}/changes")
            self.done(visitor.send(f"{job}/undo", form_on=job))
        job = visitor.send(f"{MOVIES}/bulk", {**everything, **edit}, form_on=MOVIES).location
        visitor.send(f"{job}/cancel", form_on=job)

    def import_and_export(self, visitor: Visitor) -> None:
        file = "id,title,type\nU1,Uploaded,MOVIE\nU2,Wrong,FILM\n"
        job = self.done(visitor.send("/import", {"file": (io.BytesIO(file.encode()), "titles.csv")}))
        self.open_pages(visitor, job, f"/imports/{key_of(job)}/rejects", f"/imports/{key_of(job)}/reasons")
        self.open_pages(visitor, f"{MOVIES}/export?format=csv")

    # -- the user app

    def visit(self) -> None:
        with self.app("user") as app:
            visitor = Visitor(app)
            assert visitor.sign_up("ada").status_code == 302
            film = self.film()
            with self.inside() as database:
                person = database.people.find_one({})
                shown = database.movies.find_one({"_id": film})
            assert person is not None
            assert shown is not None
            word = shown["search_tokens"][0]
            self.open_pages(visitor, "/", "/catalogue", "/find?type=MOVIE", "/for-you", "/account", "/account/export")
            self.open_pages(visitor, f"/search?q={word}", "/search?q=nothing+like+it", f"/search/facets?q={word}")
            self.open_pages(visitor, f"/suggest?q={word[:3]}", "/suggest/people?q=a", f"/people/{person['_id']}")
            self.open_pages(visitor, f"/films/{film}", f"/posters/{film}/{shown['poster']}-small.webp")
            for like in ("yes", "no", "yes"):
                assert visitor.send(f"/films/{film}/like", {"like": like}, form_on="/account").status_code == 302
            self.open_pages(visitor, "/likes", "/my-films", "/for-you")
            assert visitor.send("/password-hint", {"password": OTHER}, form_on="/account/password").status_code == 200
            change = {"current": PASSWORD, "password": OTHER, "repeated": OTHER}
            assert visitor.send("/account/password", change).status_code == 302
            self.look_away("sessions")
            self.open_pages(visitor, "/account")
            assert visitor.send("/account/sessions/end", {"session": "0"}, form_on="/account").status_code == 302
            visitor.send("/log-out", form_on="/account")

    def leave(self) -> None:
        """With neighbours computed in the meantime."""
        with self.app("user") as app:
            visitor = Visitor(app)
            assert visitor.log_in("ada", OTHER).status_code == 302
            self.open_pages(visitor, "/for-you")
            assert visitor.send("/account/delete", {"current": OTHER}).status_code == 302

    # -- the command line

    def maintain(self) -> None:
        films = self.directory / "films.jsonl"
        films.write_text('{"_id": "f7", "title": "Seven", "type": "MOVIE", "imdb_score": 9.9, "imdb_votes": 999}\n')
        self.run("admin", "import", str(films))
        self.run("admin", "export", "movies", "-o", str(self.directory / "out.jsonl"))
        with self.inside() as database:  # a like of a film that is gone, and words that none has
            stray = {"user_id": "nobody", "movie_id": "gone", "created_at": LONG_AGO - stray_likes.GRACE}
            database.user_interactions.insert_one(stray)
            database.search_words.insert_one({"_id": "gone", "films": 1, "people": 0})
            database.people.insert_one({"_id": "gone", "name": "Gone", "name_norm": "gone", "words": [], "films": 1})
        for _ in range(3):  # the third removes the first's neighbours
            self.run("admin", "recommend", "--force")
        self.run("admin", "reset-second-factor", "rootadmin")
        self.run("admin", "status")

    def back_up(self) -> None:
        key, directory = self.directory / "backup.key", self.directory / "backups"
        directory.mkdir()
        public = self.run("backup", "make-backup-key", str(key))
        self.run("backup", "backup", "--to", str(directory), "--public-key", public.strip())
        self.run("backup", "backups", str(directory))
        self.run("backup", "verify-backup", str(directory), "latest", "--key", str(key))
        self.archive(directory, public.strip())
        self.run("backup", "prune-backups", str(directory))
        # No app's user may restore.
        whole = [str(directory), "latest", "--key", str(key)]
        for arguments in (
            ["restore", *whole, "--into", "restored"],
            ["changes", *whole],
            ["compare-access", *whole[:2]],
            ["put-back", *whole, "--collection", "movies"],
            ["restore", *whole, "--beside"],
            ["swap-in"],
            ["restore-undo"],
            ["restore-cleanup"],
        ):
            self.run("", *arguments)

    def archive(self, directory: Path, public: str) -> None:
        """Until something is archived."""
        status = self.directory / "changes.json"
        arguments = ["--to", str(directory), "--public-key", public, "--status", str(status), "--slice-seconds", "1"]
        with ended_once_there_is(status):
            self.run("backup", "archive-changes", *arguments)

    # -- how

    @contextmanager
    def inside(self) -> Iterator[Rows]:
        """The database, as its administrator."""
        with self.cluster.client() as client:
            yield client.movie_library

    def film(self) -> str:
        """A film's id: of the one with a poster, if there is one."""
        with self.inside() as database:
            found = database.movies.find_one({"poster": {"$exists": True}}) or database.movies.find_one({})
        assert found is not None
        return str(found["_id"])

    def films(self) -> int:
        with self.inside() as database:
            return database.movies.count_documents({"type": "MOVIE"})

    def look_away(self, sessions: str) -> None:
        """Let time pass, so that the next request renews its session."""
        with self.inside() as database:
            before = datetime.now(UTC) - timedelta(minutes=5)
            assert database[sessions].update_many({}, {"$set": {"seen_at": before}}).modified_count

    @contextmanager
    def app(self, name: str) -> Iterator[Flask]:
        """An app as deployed; its routes count as missed until a request succeeds."""
        settings = {"MONGODB_URI": self.cluster.uri(f"film-library-{name}"), "SECRET_KEY": SECRET}
        settings |= {"COOKIE_SECURE": "0", "JOB_WORKER": "0", "MONITOR_URI": self.cluster.uri("monitor")}
        with pytest.MonkeyPatch.context() as patch:
            for key, value in settings.items():
                patch.setenv(f"FILM_LIBRARY_{key}", value)
            app = {"user": user, "admin": admin}[name].create_app()
        if not any(route.startswith(f"{name}:") for route in self.missed):
            self.missed |= {f"{name}:{rule.endpoint}" for rule in app.url_map.iter_rules()}

        @app.after_request
        def note(response: Response) -> Response:
            if response.status_code < 400:
                self.missed.discard(f"{name}:{request.endpoint}")
            return response

        anybody = Visitor(app, "127.0.0.1")  # metrics are for the own host only
        self.open_pages(anybody, "/healthz", "/readyz", "/metrics", "/robots.txt", "/favicon.ico")
        asset = re.search(r'"(/static/[^"]+\.css)"', anybody.page("/log-in"))
        assert asset
        self.open_pages(anybody, asset[1])
        yield app

    @staticmethod
    def open_pages(visitor: Visitor, *addresses: str) -> None:
        for address in addresses:
            answer = visitor.get(address, follow_redirects=True)
            assert answer.status_code == 200, (address, answer.text)

    @staticmethod
    def submit(visitor: Visitor, address: str, **typed: str) -> TestResponse:
        return visitor.post(address, {**Form(visitor.page(address), address).values, **typed})

    @staticmethod
    def done(answer: TestResponse) -> str:
        """The address of the job that an answer leads to, after it has run."""
        assert answer.status_code == 303, answer.text
        while runner.run_next():
            pass
        return str(answer.location)

    def run(self, user: str, *arguments: str, stdin: str = "") -> str:
        """The output of `film-library ARGUMENTS`, as the user film-library-`user`, or as cluster-admin."""
        uri = self.cluster.uri(f"film-library-{user}" if user else "cluster-admin")
        env = {"FILM_LIBRARY_MONGODB_URI": uri, "FILM_LIBRARY_DATABASE": "movie_library"}
        result = CliRunner(env=env).invoke(main, list(arguments), input=stdin)
        assert result.exit_code == 0, result.output
        self.missed.discard(arguments[0])
        return result.output
