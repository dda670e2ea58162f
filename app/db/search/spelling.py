"""Corrections for search texts that find nothing."""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise, product

from rapidfuzz.distance import DamerauLevenshtein, Prefix

from app.db.core import driver_errors, get_collection, tokenize
from app.db.films import person_directory
from app.db.search import word_counts
from app.db.search.query_text import straight
from app.db.search.word_counts import MAX_SPELLED, Count

MAX_WORDS = 6  # a longer text isn't corrected
MAX_SIMILAR = 2_000  # words compared
MAX_OPTIONS = 4  # for each word
LONG = 5  # letters: words this long may have two typos, others one
BEGINNING = 3  # first letters, where typos are rare: "matrx" is "matrix" and not "marx"
MIN_PART = 2  # letters of each part when a missing space is assumed
MAX_NAMES = 8  # texts tried as a name
FREQUENT = 0.01  # of all films, and at least MIN_FREQUENT: a word in so many titles says little
MIN_FREQUENT = 100  # films
MAX_SHORTER = 3  # texts of each length tried

ROMAN = {"2": "ii", "3": "iii", "4": "iv", "5": "v", "6": "vi", "7": "vii", "8": "viii", "9": "ix"}  # of sequels
NUMERALS = ROMAN | {roman: arabic for arabic, roman in ROMAN.items()}


@dataclass(frozen=True, order=True)
class _Cost:
    """How far a word is from the typed one, compared field by field; smaller is likelier."""

    distance: int
    strange: int  # differing letters at the beginning
    rarity: int  # number of films and people that have it, negated


def nearest(tokens: list[str], limit: int) -> list[str]:
    """Up to `limit` texts of known words: fewest edits first, then same beginning, then commonest words.

    An edit is an extra, missing, wrong or swapped letter (Damerau-Levenshtein distance), an extra or missing space, or
    a number from 2 to 9 in the other notation (4, IV).
    """
    if not 1 <= len(tokens) <= MAX_WORDS:
        return []
    joined = [first + second for first, second in pairwise(tokens)]
    known = word_counts.counts(
        {
            *tokens,
            *joined,
            *(NUMERALS[word] for word in tokens if word in NUMERALS),
            *(part for word in tokens for pair in _pairs(word) for part in pair),
        }
    )
    similar = word_counts.similar((word for word in tokens if len(word) <= MAX_SPELLED), MAX_SIMILAR)
    options = [_options(word, known, similar) for word in tokens[:-1]]
    # The last word may be unfinished, so it may be right although it is unknown.
    options.append({tokens[-1]: _Cost(0, 0, 0)} | _options(tokens[-1], known, similar))
    texts = {" ".join(words): _total([options[i][word] for i, word in enumerate(words)]) for words in product(*options)}
    for i, word in enumerate(joined):
        if word in known:
            texts[" ".join([*tokens[:i], word, *tokens[i + 2 :]])] = _Cost(1, 0, _rarity(known[word]))
    texts.pop(" ".join(tokens), None)
    return heapq.nsmallest(limit, texts, key=lambda text: texts[text])


@driver_errors()
def nearest_name(text: str, role: str) -> str | None:
    """The known name nearest to `text`, of somebody who works in this role.

    Raises BadQuery as `person_directory.named`.
    """
    for other in nearest(person_directory.name_words(text), MAX_NAMES):
        if people := person_directory.named(other, role=role, limit=1):
            return str(people[0]["name"])
    return None


@driver_errors()
def shorter(text: str) -> list[str]:
    """Texts to try where `text` finds nothing, likeliest first: without quotes; without frequent words; then with one
    more word left out, unknown ones first; neighbouring words; and each word alone, the rarest first.
    """
    words = list(dict.fromkeys(straight(text).replace('"', " ").split()))
    tokens = {word: tokenize(word) for word in words}
    known = word_counts.counts(token for found in tokens.values() for token in found)
    many = max(MIN_FREQUENT, FREQUENT * get_collection("movies").estimated_document_count())
    nowhere = Count(0, 0)
    telling = [w for w in words if any(len(t) > 1 and known.get(t, nowhere).films <= many for t in tokens[w])]
    common = {word: -sum(_rarity(known.get(token, nowhere)) for token in tokens[word]) for word in telling}
    rarest = sorted(telling, key=lambda word: common[word])
    fewer = [[word for word in telling if word != out] for out in rarest]
    alone = [[word] for word in sorted(rarest, key=lambda word: not common[word])]
    tried = (each[:MAX_SHORTER] for each in ([words, telling], fewer, [*map(list, pairwise(telling))][::-1], alone))
    texts = dict.fromkeys(" ".join(others) for others in chain.from_iterable(tried) if others)
    return [other for other in texts if other != text]


def _total(costs: list[_Cost]) -> _Cost:
    return _Cost(
        sum(cost.distance for cost in costs), sum(cost.strange for cost in costs), max(cost.rarity for cost in costs)
    )


def _rarity(count: Count) -> int:
    return -(count.films + count.people)


def _options(word: str, known: Mapping[str, Count], similar: Mapping[str, Count]) -> dict[str, _Cost]:
    """The likeliest known words for a word: itself, similar ones, or two it is composed of; itself if none is known."""
    found = {word: _Cost(0, 0, _rarity(known[word]))} if word in known else {}
    most = 2 if len(word) >= LONG else 1
    for other, count in similar.items():
        distance = DamerauLevenshtein.distance(word, other, score_cutoff=most)
        if 0 < distance <= most:
            strange = max(0, BEGINNING - int(Prefix.similarity(word, other)))
            found[other] = _Cost(distance, strange, _rarity(count))
    if (numeral := NUMERALS.get(word, "")) in known:
        found[numeral] = _Cost(1, 0, _rarity(known[numeral]))
    for first, second in _pairs(word):
        if first in known and second in known:
            found[f"{first} {second}"] = _Cost(1, 0, max(_rarity(known[first]), _rarity(known[second])))
    likeliest = heapq.nsmallest(MAX_OPTIONS, found, key=lambda other: found[other])
    return {other: found[other] for other in likeliest} or {word: _Cost(0, 0, 0)}


def _pairs(word: str) -> Iterator[tuple[str, str]]:
    """The two parts of a word, for each place where a space may be missing."""
    return ((word[:i], word[i:]) for i in range(MIN_PART, len(word) - MIN_PART + 1))
