"""Texts that somebody who typed one that finds nothing may have meant."""

import heapq
from collections.abc import Iterator, Mapping
from itertools import pairwise, product

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from app.db import search_words
from app.db.search_words import MAX_SPELLED

MAX_WORDS = 6  # a longer text isn't corrected
MAX_SIMILAR = 2_000  # words compared
MAX_OPTIONS = 4  # for each word
LONG = 5  # letters: words that have so many may have two mistakes, others one
MIN_PART = 2  # letters of a word that was written together with another


def nearest(tokens: list[str], limit: int) -> list[str]:
    """Up to `limit` texts of known words: those with the fewest changes first, then those that look most alike, then
    those with the commonest words.

    A change is a letter more, less, wrong or exchanged with its neighbour (the Damerau-Levenshtein distance), or a
    space more or less.
    """
    if not 1 <= len(tokens) <= MAX_WORDS:
        return []
    known = search_words.frequencies({*tokens, *_joined(tokens), *(part for word in tokens for part in _parts(word))})
    similar = search_words.similar((word for word in tokens if len(word) <= MAX_SPELLED), MAX_SIMILAR)
    options = [_options(word, known, similar) for word in tokens]
    typed = " ".join(tokens)
    texts = {}  # text -> its distance, and the frequency of its rarest word
    for choice in product(*options):
        words, distances, frequencies = zip(*choice, strict=True)
        texts[" ".join(words)] = (sum(distances), min(frequencies))
    for i, word in enumerate(_joined(tokens)):
        if word in known:
            texts[" ".join([*tokens[:i], word, *tokens[i + 2 :]])] = (1, known[word])
    texts.pop(typed, None)
    return heapq.nsmallest(limit, texts, key=lambda text: (texts[text][0], -_alike(typed, text), -texts[text][1]))


def _alike(one: str, other: str) -> float:
    """How alike two texts of one distance look, 0 to 1: mistakes are rare at the beginning, so "matrx" is "matrix" and
    not "marx" (the Jaro-Winkler similarity). Rounded, so that the commoner word wins where it hardly matters.
    """
    return round(JaroWinkler.similarity(one, other), 2)


def _options(word: str, known: Mapping[str, int], similar: Mapping[str, int]) -> list[tuple[str, int, int]]:
    """What may stand for a word: itself, the most similar others, two words; each with its distance and frequency."""
    most = 2 if len(word) >= LONG else 1
    found = {word: (0, known.get(word, 0))}
    for other, frequency in similar.items():
        distance = DamerauLevenshtein.distance(word, other, score_cutoff=most)
        if 0 < distance <= most:
            found[other] = (distance, frequency)
    for first, second in _pairs(word):
        if first in known and second in known:
            found[f"{first} {second}"] = (1, min(known[first], known[second]))
    ordered = heapq.nsmallest(
        MAX_OPTIONS, found, key=lambda other: (found[other][0], -_alike(word, other), -found[other][1])
    )
    return [(other, *found[other]) for other in ordered]


def _joined(tokens: list[str]) -> list[str]:
    return [first + second for first, second in pairwise(tokens)]


def _pairs(word: str) -> Iterator[tuple[str, str]]:
    return ((word[:i], word[i:]) for i in range(MIN_PART, len(word) - MIN_PART + 1))


def _parts(word: str) -> Iterator[str]:
    return (part for pair in _pairs(word) for part in pair)
