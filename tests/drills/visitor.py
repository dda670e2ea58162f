"""Somebody who uses both apps over HTTP all the time, and notes what became of every request."""

from __future__ import annotations

import http.client
import itertools
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from http.cookiejar import CookieJar

PASSWORD = "correct horse battery staple"
REQUEST_SECONDS = 60.0  # far above the longest election; a request that takes longer hangs
SIGN_UP_EVERY = 4.0  # seconds; the app allows one address 20 a minute


@dataclass(frozen=True)
class Answer:
    """One request: what it was, when it began (monotonic seconds), how long it took, and its HTTP status (0: none)."""

    what: str
    began: float
    seconds: float
    status: int


@dataclass
class Visitor:
    """Reads (search in the user app, log-in page of the admin app) and writes (sign up) until told to stop."""

    user_url: str
    admin_url: str
    answers: list[Answer] = field(default_factory=list)
    signed_up: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._write)]

    def __enter__(self) -> Visitor:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def count(self, what: str, since: float) -> int:
        """Requests of a kind that began after `since` and were answered well."""
        return sum(a.what == what and a.began > since and 200 <= a.status < 400 for a in self.answers)

    def _read(self) -> None:
        words = itertools.cycle(("love", "night", "king", "the last", "war"))
        urls = (
            ("read user app", f"{self.user_url}/search?q="),
            ("read admin app", f"{self.admin_url}/readyz?"),
        )
        while not self._stop.wait(0.05):
            for what, url in urls:
                self._ask(what, urllib.request.build_opener(), url + urllib.parse.quote(next(words)))

    def _write(self) -> None:
        for number in itertools.count():
            name = f"drill-{int(time.time())}-{number}"
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
            page = self._ask("read sign-up form", opener, f"{self.user_url}/sign-up")
            token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
            if token:
                form = {"csrf_token": token[1], "username": name, "password": PASSWORD, "repeated": PASSWORD}
                page = self._ask("write", opener, f"{self.user_url}/sign-up", urllib.parse.urlencode(form).encode())
                if name in page:
                    self.signed_up.append(name)
            if self._stop.wait(SIGN_UP_EVERY):
                return

    def _ask(self, what: str, opener: urllib.request.OpenerDirector, url: str, data: bytes | None = None) -> str:
        began, status, page = time.monotonic(), 0, ""
        try:
            with opener.open(url, data, timeout=REQUEST_SECONDS) as response:
                status, page = response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            status, page = error.code, error.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            status = 0
        self.answers.append(Answer(what, began, time.monotonic() - began, status))
        return page
