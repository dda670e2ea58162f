"""The people of the credits, each once: what their names are, and what they made."""

from pymongo import IndexModel

NAME = "people"
INDEXES: dict[str, list[IndexModel]] = {}
