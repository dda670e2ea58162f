"""Uses both apps over HTTP all the time and records the outcome of every request."""

from __future__ import annotations

import http.client
import itertools
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookiejar import CookieJar

from ops.topology import ADMIN_APP_PORT, USER_APP_PORT
from tests.deployed import Deployment, Inventory

ADMIN = "drill"  # a plain administrator, because a superadmin needs a second factor
PASSWORD = "correct horse battery staple"
REQUEST_SECONDS = 60.0  # far above the longest election
SIGN_UP_EVERY = 8.0  # seconds; the app allows one address 100 an hour


@dataclass(frozen=True)
class Answer:
    """One request: its kind, start (monotonic seconds), duration in seconds and HTTP status (0: no answer)."""

    what: str
    began: float
    seconds: float
    status: int

    @property
    def ended(self) -> float:
        return self.began + self.seconds


def visitor(deployment: Deployment, inventory: Inventory) -> Visitor:
    """A visitor of the first web host, where ADMIN is created if necessary."""
    web = inventory.group("web")[0]
    create = "printf %%s %s | film-library create-admin %s --keep-password --password-file -"
    deployment.host(web).check_output(create, PASSWORD, ADMIN)
    return Visitor(inventory.site(web, USER_APP_PORT), inventory.site(web, ADMIN_APP_PORT), inventory.browser)


@dataclass
class Visitor:
    """Reads and writes in both apps until the context ends.

    Reads: searches in the user app, pages of records in the admin app. Writes: sign-ups in the user app, log-ins to
    the admin app, which store a session.
    """

    user_url: str
    admin_url: str
    browser: Callable[..., urllib.request.OpenerDirector]
    answers: list[Answer] = field(default_factory=list)
    signed_up: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._write)]

    def __enter__(self) -> Visitor:
        self.log_in_as_admin()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def count(self, what: str, since: float) -> int:
        """Successful requests of a kind that began after `since`."""
        return sum(a.what == what and a.began > since and 200 <= a.status < 400 for a in self.answers)

    def log_in_as_admin(self) -> None:
        """Starts a new session in the admin app, which later reads use."""
        opener = self.browser(urllib.request.HTTPCookieProcessor(CookieJar()))
        token = self._token(self._ask("read log-in form", opener, f"{self.admin_url}/log-in"))
        form = {"csrf_token": token, "username": ADMIN, "password": PASSWORD}
        self._ask("write admin app", opener, f"{self.admin_url}/log-in", urllib.parse.urlencode(form).encode())
        self._admin = opener

    def _read(self) -> None:
        words = itertools.cycle(("love", "night", "king", "the last", "war"))
        collections = itertools.cycle(("movies", "credits", "users"))
        anybody = self.browser()
        while not self._stop.wait(0.05):
            query = urllib.parse.urlencode({"q": next(words)})
            self._ask("read user app", anybody, f"{self.user_url}/search?{query}")
            page = self._ask("read admin app", self._admin, f"{self.admin_url}/collections/{next(collections)}")
            assert not page or "<table" in page, "logged out, or no records"

    def _write(self) -> None:
        for number in itertools.count():
            name = f"drill-{int(time.time())}-{number}"
            opener = self.browser(urllib.request.HTTPCookieProcessor(CookieJar()))
            page = self._ask("read sign-up form", opener, f"{self.user_url}/sign-up")
            form = {"csrf_token": self._token(page), "username": name, "password": PASSWORD, "repeated": PASSWORD}
            page = self._ask(
                "write user app", opener, f"{self.user_url}/sign-up", urllib.parse.urlencode(form).encode()
            )
            if name in page:
                self.signed_up.append(name)
            if self._stop.wait(SIGN_UP_EVERY):
                return

    def _token(self, page: str) -> str:
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        return found[1] if found else ""

    def _ask(self, what: str, opener: urllib.request.OpenerDirector, url: str, data: bytes | None = None) -> str:
        began, status, page = time.monotonic(), 0, ""
        # As browsers do: over TLS, forms from nowhere are refused.
        request = urllib.request.Request(url, data, {"Referer": url})  # noqa: S310 - always https
        try:
            with opener.open(request, timeout=REQUEST_SECONDS) as response:
                status, page = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            status, page = error.code, error.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            status = 0
        self.answers.append(Answer(what, began, time.monotonic() - began, status))
        return page
