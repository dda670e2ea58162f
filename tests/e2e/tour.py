"""Browser windows that collect console errors."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Response

PASSWORD = "three blind mice 1927"
PHONE = {"width": 360, "height": 740}
_names = itertools.count(1)


@dataclass(frozen=True)
class Site:
    """The addresses of the two apps, without a trailing slash, and the superadmin's unused recovery codes."""

    user: str
    admin: str
    recovery_codes: list[str]


class Tour:
    """Opens windows with separate cookies, and collects their errors."""

    def __init__(self, site: Site, browser: Browser) -> None:
        self.site = site
        self.complaints: list[str] = []
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def window(self, **options: Any) -> Page:
        """A new window with its own cookies; `options` are Playwright's for a context."""
        context = self._browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        context.set_default_timeout(20_000)  # milliseconds: a busy machine takes its time
        self._contexts.append(context)
        page = context.new_page()
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("response", self._response)
        return page

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for context in self._contexts:
            context.close()

    def _console(self, message: ConsoleMessage) -> None:
        # Policy violations are errors, too. Expected 404s are checked by their status.
        if message.type in {"error", "warning"} and "status of 4" not in message.text:
            self.complaints.append(f"{message.location.get('url')}: {message.text}")

    def _response(self, response: Response) -> None:
        foreign = not response.url.startswith((self.site.user, self.site.admin))
        if response.status >= 500 or foreign or (response.status >= 400 and not _is_page(response)):
            self.complaints.append(f"{response.url}: {response.status}")


def _is_page(response: Response) -> bool:
    return response.request.resource_type == "document"


def new_name() -> str:
    """An unused name."""
    return f"guest{next(_names)}"


def follow(page: Page, link: Locator, click: Callable[[Locator], None] = Locator.click) -> None:
    """Click and wait until the next page has loaded.

    Unlike `expect`, reading a page doesn't wait, and leaving a page aborts its requests. It waits for the load event,
    because a script that changes the address navigates, too.
    """
    with page.expect_event("load"):
        click(link)


def log_in(page: Page, site: str, name: str) -> None:
    """Through the form of either app."""
    page.goto(f"{site}/log-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    follow(page, page.get_by_role("main").get_by_role("button", name="Log in"))


def log_in_as_superadmin(page: Page, site: Site) -> None:
    """With a recovery code, because a code of the app is accepted only once in 30 seconds."""
    log_in(page, site.admin, "rootadmin")
    page.get_by_label("Code", exact=True).fill(site.recovery_codes.pop())
    follow(page, page.get_by_role("button", name="Continue"))


def sign_up(page: Page, site: str, name: str) -> None:
    """Through the form of the user app."""
    page.goto(f"{site}/sign-up")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Confirm password").fill(PASSWORD)
    follow(page, page.get_by_role("main").get_by_role("button", name="Sign up"))
