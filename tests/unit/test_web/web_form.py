"""Reads a form from a page, as a browser does."""

from __future__ import annotations

from html.parser import HTMLParser


class Form(HTMLParser):
    """The values of the first form with this `action` and a control named `having`, as they would be sent."""

    def __init__(self, page: str, action: str, having: str = "") -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.errors: dict[str, str] = {}  # control name -> the sentence beside it
        self._action, self._having = action, having
        self._inside = self._done = False
        self._area: str | None = None
        self._select: str | None = None
        self._error: str | None = None
        self.feed(page)
        assert self._done, f"no form for {action}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        action = (given.get("action") or "").partition("#")[0]
        if tag == "form" and action == self._action and not self._done:
            self._inside, self.values, self.errors = True, {}, {}
        if not self._inside:
            return
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "input" and name and (given.get("type") not in ("checkbox", "radio") or "checked" in given):
            self.values[name] = value
        elif tag == "textarea":
            self._area, self.values[name] = name, ""
        elif tag == "select":
            self._select, self.values[name] = name, ""
        elif tag == "option" and self._select and "selected" in given:
            self.values[self._select] = value
        elif tag == "p" and given.get("class") == "field-error":
            self._error = (given.get("id") or "").removeprefix("record-").removesuffix("-error")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._inside:
            self._inside, self._done = False, not self._having or self._having in self.values
        elif tag == "textarea" and self._area:
            self.values[self._area] = self.values[self._area].removeprefix("\n")  # as browsers do
            self._area = None
        elif tag == "select":
            self._select = None
        elif tag == "p":
            self._error = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] += data
        if self._error:
            self.errors[self._error] = data
