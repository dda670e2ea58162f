"""Template filters that format values."""

from __future__ import annotations

from datetime import datetime

from flask import Flask


def init_app(app: Flask) -> None:
    """Register the filters."""
    for function in (thousands, rounded, runtime, day, score, plural):
        app.add_template_filter(function)


def thousands(number: int) -> str:
    """17472 -> "17,472"."""
    return f"{number:,}"


def rounded(number: int, digits: int = 2) -> int:
    """An estimate, rounded to its significant digits: 5137 -> 5100."""
    return round(number, digits - len(str(number)))


def runtime(minutes: int) -> str:
    """142 (minutes) -> "2 h 22 min"."""
    hours, rest = divmod(int(minutes), 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if part)


def day(moment: datetime) -> str:
    """A date as "22 November 2026"."""
    return f"{moment.day} {moment:%B %Y}"


def score(value: float) -> str:
    """A score out of ten with one decimal place: 8.9."""
    return f"{value:.1f}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """1 film, 2 films, 17,472 films."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
