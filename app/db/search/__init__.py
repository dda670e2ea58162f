"""Finding films, people and other records by text or by choice, and the derived collections that searches read.

Word counts, query planning, spelling corrections, suggestions, facets and the log of failed searches.
"""

from app.db.search import derived, facets, failed_searches, preferences, references, spelling, suggestions, word_counts
from app.db.search.facets import Counts, Facets
from app.db.search.film_search import ANY, correct, movie_details, people_named, search_movies
from app.db.search.planning import Narrow
from app.db.search.preferences import Preferences
from app.db.search.references import names_of
from app.db.search.suggestions import Suggestion

__all__ = [
    "ANY",
    "Counts",
    "Facets",
    "Narrow",
    "Preferences",
    "Suggestion",
    "correct",
    "derived",
    "facets",
    "failed_searches",
    "movie_details",
    "names_of",
    "people_named",
    "preferences",
    "references",
    "search_movies",
    "spelling",
    "suggestions",
    "word_counts",
]
