"""Search, suggestions, facets and spelling, beside the original's case-insensitive regular expression."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from bson import Regex

from app.db.core import get_collection, tokenize
from app.db.search import correct, facets, search_movies, suggestions
from bench import synthetic
from bench.library import Library
from bench.measure import Figure, milliseconds, percentile

SEED = 1960
TITLES = 200  # that queries are made from; the smaller library has them too
REPEATS = 3
REGEX_QUERIES = 30  # each takes a third of a second
MOST_WORDS = 3
FREQUENT = ("the", "of the", "man in the", "the man", "love", "a", "the last", "in the night", "the s", "my love", "2")

Times = dict[str, list[float]]
"""By query, the seconds of each call."""


def queries(library: Library) -> list[str]:
    """FREQUENT, and one to three adjacent words of titles. Every third query has its last word cut short; every tenth
    has a word of another title, so that few films match.
    """
    chance = random.Random(SEED)  # noqa: S311 - not a secret, and the same in every run
    titles = [tokenize(film["title"]) for film in islice(synthetic.films(library.sample, TITLES), TITLES)]
    found = list(FREQUENT)
    for number, words in enumerate(titles):
        begin = chance.randrange(len(words))
        chosen = words[begin : begin + chance.randint(1, MOST_WORDS)]
        if number % 10 == 0:
            chosen = [*chosen[: MOST_WORDS - 1], chance.choice(chance.choice(titles))]
        text = " ".join(chosen)
        found.append(text[: max(2, len(text) - 2)] if number % 3 == 0 else text)
    return found


def times(library: Library) -> Times:
    """How long searches take in this library."""
    return _times(search_movies, queries(library), REPEATS)


def measure(library: Library, smaller: Times) -> list[Figure]:
    """Times of calls, each after an uncounted one. `smaller` has the `times` of a library a tenth as large."""
    texts = queries(library)
    ours = _times(search_movies, texts, REPEATS)
    regex = _times(_by_regex, texts[:: len(texts) // REGEX_QUERIES], 1)
    typed = [text[:length] for text in texts for length in range(1, len(text) + 1, 4)]
    misspelled = [text[0] + text[2] + text[1] + text[3:] for text in texts if len(text) > MOST_WORDS]
    ratio = _percentile(regex, 0.5) / _percentile(ours, 0.5)
    growth = [_percentile(ours, share) / _percentile(smaller, share) for share in (0.5, 0.95)]
    slowest = max(ours, key=lambda text: percentile(ours[text], 0.5))
    return [
        _figure("search, p50; the original's $regex", ours, 0.5, peer=regex, aim=f"{100} x", met=ratio >= 100),
        _figure("search, p95; the original's $regex", ours, 0.95, peer=regex, aim="< 25 ms", most=0.025),
        Figure(f"slowest search, {slowest!r}, median", milliseconds(percentile(ours[slowest], 0.5))),
        *(
            Figure(f"search, {name}, / in a tenth of the films", f"{ratio:.2f} x", aim="<= 1.5 x", met=ratio <= 1.5)
            for name, ratio in zip(("p50", "p95"), growth, strict=True)
        ),
        _figure(
            "suggestions while typing, p95", _times(suggestions.suggest, typed, 1), 0.95, aim="< 15 ms", most=0.015
        ),
        _figure("facets of the best films, p95", _times(facets.count, texts, 1), 0.95),
        _figure("correcting swapped letters, p95", _times(correct, misspelled, 1), 0.95),
    ]


def _by_regex(text: str) -> list[Any]:
    """As in the original: the best three films whose title contains the text, in any case; no index."""
    found = get_collection("movies").find({"title": Regex(text, "i")}).hint([("$natural", 1)])
    return list(found.sort("ranking_score", -1).limit(3))


def _times(call: Callable[[str], object], texts: Sequence[str], repeats: int) -> Times:
    taken: Times = {text: [] for text in texts}
    for text in taken:
        call(text)
        for _ in range(repeats):
            began = time.perf_counter()
            call(text)
            taken[text].append(time.perf_counter() - began)
    return taken


def _percentile(taken: Times, share: float) -> float:
    return percentile([seconds for each in taken.values() for seconds in each], share)


def _figure(
    what: str,
    ours: Times,
    share: float,
    *,
    peer: Times | None = None,
    aim: str = "",
    most: float | None = None,
    met: bool | None = None,
) -> Figure:
    value = _percentile(ours, share)
    if most is not None:
        met = value < most
    if peer is None:
        return Figure(what, milliseconds(value), aim=aim, met=met)
    theirs = _percentile(peer, share)
    return Figure(what, milliseconds(value), milliseconds(theirs), theirs / value, aim, met)
