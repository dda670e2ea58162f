"""Which films people like, and what follows from it: taste, recommendations and similar films.

The calculations themselves are in `app.recommender`, which knows no database.
"""

from app.db.likes import learning, likes, neighbour_lists, recommendations, similar_films, stray_likes, taste

__all__ = ["learning", "likes", "neighbour_lists", "recommendations", "similar_films", "stray_likes", "taste"]
