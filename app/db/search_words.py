"""The words of titles and names, with how many films and people have them: what search and suggestions go by."""

from pymongo import IndexModel

NAME = "search_words"
INDEXES: dict[str, list[IndexModel]] = {}
