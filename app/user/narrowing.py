"""What a search is narrowed to (type, genre, decade, country)."""

KIND_WORDS = {"MOVIE": "Films", "SHOW": "Series"}
