"""What a search text asks for: whole words, phrases, and the beginning of one more word."""

from dataclasses import dataclass
from typing import Any

from app.db.errors import BadQuery
from app.db.text import tokenize

MAX_TEXT = 200  # characters
MAX_WORDS = 20


@dataclass(frozen=True)
class Words:
    """The words of a text: those that must be in a title, phrases (word sequences), and the beginning of one more."""

    exact: tuple[str, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    prefix: str | None = None

    def __bool__(self) -> bool:
        return bool(self.exact or self.phrases or self.prefix)

    @property
    def whole(self) -> list[str]:
        """The words that must be in a title as they are, each once; those of phrases too."""
        return list(dict.fromkeys([*self.exact, *(word for phrase in self.phrases for word in phrase)]))


def parse(text: Any) -> Words:
    """The words of `text`. Quoted parts are phrases; the last word outside quotes may still be being typed, and a lone
    quote means nothing. Raises BadQuery when it is no string, longer than MAX_TEXT or of more than MAX_WORDS words.
    """
    if not isinstance(text, str):
        raise BadQuery("a search text is a string")
    if len(text) > MAX_TEXT:
        raise BadQuery(f"a search text has at most {MAX_TEXT} characters")
    parts = text.split('"')
    if len(parts) % 2 == 0:
        parts[-2:] = [f"{parts[-2]} {parts[-1]}"]
    phrases = tuple(tuple(tokens) for part in parts[1::2] if (tokens := tokenize(part)))
    words = [token for part in parts[0::2] for token in tokenize(part)]
    if len(words) + sum(map(len, phrases)) > MAX_WORDS:
        raise BadQuery(f"a search text has at most {MAX_WORDS} words")
    prefix = words.pop() if words and tokenize(parts[-1]) else None
    return Words(tuple(words), phrases, prefix)
