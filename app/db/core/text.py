"""Derives search tokens and the shard key from titles."""

import re
import unicodedata

HASH_BASE = 257
HASH_MODULUS = 1_000_000_009

# Letters that Unicode does not decompose into a base letter and a mark (the last one is the Turkish dotless i).
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})
# Vowel signs and the like, of Devanagari to Mongolian: they aren't accents, and \w doesn't match them.
_SIGNS = frozenset(sign for sign in map(chr, range(0x0900, 0x1AB0)) if unicodedata.category(sign) in {"Mn", "Mc"})
_WORD = re.compile(r"[^\W_]+")
_WORD_WITH_SIGNS = re.compile(rf"[^\W_](?:[^\W_]|[{''.join(sorted(_SIGNS))}])*")
_APOSTROPHES = re.compile("['`\u2019\u02bc]")  # straight or typeset: "Ocean's" is one word, oceans
_FRACTION = re.compile("(?=[\u00bc-\u00be\u2150-\u215e])")  # one-character fractions, which follow a digit: 8 1/2


def custom_hash(title: str) -> int:
    """The polynomial rolling hash of the lower-cased title, in 0 .. HASH_MODULUS-1: the shard key of `movies`."""
    value = 0
    for character in title.lower():
        value = (value * HASH_BASE + ord(character)) % HASH_MODULUS
    return value


def tokenize(text: str) -> list[str]:
    """The words of a text in order: case and accents folded, punctuation dropped ("L'Été, à 2" -> lete, a, 2)."""
    plain = _APOSTROPHES.sub("", text)
    if plain.isascii():
        return _WORD.findall(plain.lower())
    decomposed = unicodedata.normalize("NFKD", _FRACTION.sub(" ", plain).casefold())
    folded = "".join(c for c in decomposed if c in _SIGNS or not unicodedata.combining(c)).translate(_PLAIN)
    return _WORD_WITH_SIGNS.findall(folded.lower())
