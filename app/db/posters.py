"""Pictures of films, by the film they belong to."""

from pymongo import IndexModel

NAME = "posters"
INDEXES: dict[str, list[IndexModel]] = {}
