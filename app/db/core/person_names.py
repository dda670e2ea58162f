"""People's names: splitting lists of them, and ids for people without one."""

import hashlib
import re
import unicodedata

_SUFFIX = re.compile(r"(Jr|Sr|II|III|IV|Ph\.?D|M\.?D|Esq)\.?", re.IGNORECASE)


def split_names(text: str | None) -> list[str]:
    """The names of a comma-separated list, each once, in order; "Sammy Davis, Jr." is one person."""
    names: list[str] = []
    for part in (text or "").split(","):
        name = part.strip()
        if names and _SUFFIX.fullmatch(name):
            names[-1] = f"{names[-1]}, {name}"
        elif name:
            names.append(name)
    return list(dict.fromkeys(names))


def person_id(name: str) -> str:
    """An id derived from the name alone, ignoring case: "p" and 64 bits of a hash in hexadecimal.

    Two people with the same name get the same id: a source without ids can't tell them apart.
    """
    folded = unicodedata.normalize("NFC", name).casefold()
    return f"p{hashlib.blake2b(folded.encode(), digest_size=8).hexdigest()}"
