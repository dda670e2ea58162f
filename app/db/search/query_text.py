"""Parsing search texts: complete words, phrases, and one unfinished word."""

from dataclasses import dataclass
from typing import Any

from app.db.core import BadQuery, tokenize

MAX_TEXT = 200  # characters
MAX_WORDS = 20
AND = "and"  # many titles have a sign instead, which isn't a word: "Fast & Furious"
_QUOTES = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02", '"'))  # phones type curly ones


@dataclass(frozen=True)
class Words:
    """The parts of a text: complete words, phrases (word sequences), and the prefix of one more word.

    `joined` has the two words around each "and"; the "and" itself is left out then.
    """

    exact: tuple[str, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    prefix: str | None = None
    joined: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.exact or self.phrases or self.prefix)

    @property
    def whole(self) -> list[str]:
        """The words that a title must have, including those of phrases, each once."""
        return list(dict.fromkeys([*self.exact, *(word for phrase in self.phrases for word in phrase)]))


def straight(text: str) -> str:
    """The text with typographic quotes as plain ones."""
    return text.translate(_QUOTES)


def without_and(words: list[str]) -> list[str]:
    """The words without each "and" between two of them."""
    return [word for i, word in enumerate(words) if not _joins(words, i)]


def _joins(words: list[str], i: int) -> bool:
    return words[i] == AND and 0 < i < len(words) - 1 and AND not in (words[i - 1], words[i + 1])


def parse(text: Any) -> Words:
    """Parse `text`. Quoted parts are phrases; the last word outside quotes may be unfinished, and a lone quote is
    ignored. Raises BadQuery for no string, more than MAX_TEXT characters or more than MAX_WORDS words.
    """
    if not isinstance(text, str):
        raise BadQuery("a search text is a string")
    if len(text) > MAX_TEXT:
        raise BadQuery(f"a search text has at most {MAX_TEXT} characters")
    parts = straight(text).split('"')
    if len(parts) % 2 == 0:
        parts[-2:] = [f"{parts[-2]} {parts[-1]}"]
    phrases = tuple(tuple(tokens) for part in parts[1::2] if (tokens := tokenize(part)))
    outside = [tokenize(part) for part in parts[0::2]]
    joined = tuple((words[i - 1], words[i + 1]) for words in outside for i in range(len(words)) if _joins(words, i))
    words = [word for words in outside for word in without_and(words)]
    if len(words) + sum(map(len, phrases)) > MAX_WORDS:
        raise BadQuery(f"a search text has at most {MAX_WORDS} words")
    prefix = words.pop() if words and tokenize(parts[-1]) else None
    return Words(tuple(words), phrases, prefix, joined)
