"""Which films go with which: computed in the background from what people like, and swapped in whole."""

from pymongo import IndexModel

NAME = "neighbours"
INDEXES: dict[str, list[IndexModel]] = {}
