"""Film data beyond the records: unique ids, ranking, posters, the catalogue and the directory of people.

`records` reads and changes a film's own document; `search` finds films by what somebody types.
"""

from app.db.films import catalogue, claims, person_directory, posters, ranking
from app.db.films.catalogue import BY_RANK, CARD, DECADE, MAX_EXCLUDED, film_query
from app.db.films.posters import Picture

__all__ = [
    "BY_RANK",
    "CARD",
    "DECADE",
    "MAX_EXCLUDED",
    "Picture",
    "catalogue",
    "claims",
    "film_query",
    "person_directory",
    "posters",
    "ranking",
]
