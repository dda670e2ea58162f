"""The words of titles and names, with how many films and people have them: what search and suggestions go by."""

from pymongo import IndexModel

NAME = "search_words"
INDEXES: dict[str, list[IndexModel]] = {}


def refresh() -> int:
    """Count all words anew; returns how many changed."""
    return 0


def note(tokens: list[str]) -> None:
    """Take in the words of one film."""
