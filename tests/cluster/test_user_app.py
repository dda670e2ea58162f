"""The user app through nginx, its own database user, the router and both shards."""

from __future__ import annotations

import json
import re
import secrets
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar

import pytest

from ops.topology import USER_APP_PORT
from tests.deployed import Inventory


class Person:
    """A user with an account and a browser that keeps cookies."""

    def __init__(self, inventory: Inventory) -> None:
        self.name = f"cluster-{secrets.token_hex(4)}"
        self.password = f"three blind mice {secrets.token_hex(4)}"
        self._jar = CookieJar()
        self._site = inventory.site(inventory.groups["web"][0], USER_APP_PORT)
        self._opener = inventory.browser(urllib.request.HTTPCookieProcessor(self._jar))

    def get(self, path: str) -> str:
        with self._opener.open(self._site + path, timeout=60) as response:
            return response.read().decode()

    def cookies(self) -> list[str]:
        """The values of the browser's cookies."""
        return [cookie.value or "" for cookie in self._jar]

    def sign_up(self, **more: str) -> None:
        self.send("/sign-up", "/sign-up", username=self.name, password=self.password, repeated=self.password, **more)

    def log_in(self) -> None:
        self.send("/log-in", "/log-in", username=self.name, password=self.password)

    def leave(self) -> None:
        """Deletes the account."""
        self.send("/account/delete", "/account/delete", current=self.password)
        assert "Log in" in self.get("/likes")

    def send(self, path: str, form_on: str, **fields: str) -> str:
        """Submits a form with the CSRF token of its page."""
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(form_on))
        assert found, f"no form on {form_on}"
        data = urllib.parse.urlencode({"csrf_token": found[1], **fields}).encode()
        # As browsers do: over TLS, forms from nowhere are refused.
        request = urllib.request.Request(self._site + path, data, {"Referer": self._site + form_on})  # noqa: S310 - https
        with self._opener.open(request, timeout=60) as response:
            return response.read().decode()


@pytest.fixture
def person(inventory: Inventory) -> Iterator[Person]:
    """A user who signs up for the test and deletes the account afterwards."""
    somebody = Person(inventory)
    somebody.sign_up()
    yield somebody
    somebody.leave()


def test_likes_are_stored_and_lead_to_recommendations(person: Person) -> None:
    liked = re.findall(r'class="like"[^>]*formaction="/films/([^"/]+)/like"', person.get("/catalogue"))[:3]
    assert len(liked) == 3
    for film in liked:
        person.send(f"/films/{film}/like", "/catalogue", like="yes", next="/catalogue")
    assert set(liked) <= set(re.findall(r"/films/([^\"/]+)/like", person.get("/likes")))
    assert not set(liked) & set(re.findall(r"/films/([^\"/]+)/like", person.get("/catalogue")))
    assert "card-reason" in person.get("/for-you")
    kept = json.loads(person.get("/account/export"))
    assert {like["film"] for like in kept["likes"]} == set(liked)


@pytest.mark.parametrize(
    ("path", "shows"),
    [
        ("/search?q=godfahter", "The Godfather"),
        ("/search?q=kubrick", "Dr. Strangelove"),
        ("/search/facets?q=the", "comedy"),
        ("/suggest?q=godf", "The Godfather"),
        ("/find?genre=drama&actor=al+pacino", "The Godfather"),
        ("/catalogue?genre=western&decade=1960", "1960"),
    ],
)
def test_searches_find_films(person: Person, path: str, shows: str) -> None:
    assert shows in person.get(path)
