"""The word that an operator types before something is removed or replaced."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from ops.errors import OpsError


def check(word: str, variables: Mapping[str, str], otherwise: str) -> None:
    """Raises OpsError when nobody can be asked and CONFIRM isn't the word: before long work that ends with a question.

    `otherwise` says what has not happened then.
    """
    if variables.get("CONFIRM") != word and not sys.stdin.isatty():
        raise OpsError(f"CONFIRM={variables.get('CONFIRM', '')}: must be {word} when not on a terminal; {otherwise}")


def ask(word: str, variables: Mapping[str, str], lines: Iterable[str], otherwise: str) -> None:
    """Shows what would happen. Raises OpsError unless the word is typed, or given as CONFIRM."""
    check(word, variables, otherwise)
    if variables.get("CONFIRM") == word:
        return
    print(*lines, sep="\n")
    if input(f"Type {word} to continue: ").strip() != word:
        raise OpsError(f"not confirmed; {otherwise}")
