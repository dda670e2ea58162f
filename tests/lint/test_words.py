"""One word for one thing: the words that docs/glossary.md replaced must not come back."""

from __future__ import annotations

import re

import pytest

from ops.paths import ROOT
from tests import repository

#: What is retired, and what to say instead; the glossary has the meanings.
RETIRED = {
    r"hearts?|hearted|favou?rites?|favou?rited": "like",
    r"ailing": "degraded",
    r"replica_set_whole|is_whole|isn't whole|(?:set|cluster|member)s? (?:is|are) whole": "healthy",
    r"hanging|hangs? on it": "dependents",
    r"strangers?": "unknown member (in a replica set)",
    r"quiesc\w*": "stop",
    r"deeds?": "action",
    r"film_?faces?|faces?_of|as_face": "card",
    r"wishes|sought|WayOfChoosing": "preferences",
    r"anew|thereby|therein|whosoever|in their stead|hitherto": "plain English",
}
#: Files that must use a retired word: they name it to refuse it, or a format that is already stored has it.
ALLOWED: dict[str, set[str]] = {
    "tests/lint/test_words.py": set(RETIRED),
}
TEXT = {".py", ".md", ".html", ".js", ".css", ".yml", ".j2", ".tf", ".hcl", ".sh", ""}


@pytest.mark.parametrize("words", RETIRED, ids=RETIRED.values())
def test_retired_words_stay_away(words: str) -> None:
    pattern = re.compile(rf"(?<![a-z])(?:{words})(?![a-z])", re.IGNORECASE)
    found = [
        f"{path}:{number}: {line.strip()[:100]}"
        for path in repository.files()
        if path.suffix in TEXT and (ROOT / path).is_file() and words not in ALLOWED.get(str(path), set())
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == [], f"say {RETIRED[words]!r}:\n" + "\n".join(found)
