"""How `init-db` upgrades a database that an earlier release has left."""

from typing import Any

import pytest
from pymongo.collection import Collection
from pymongo.database import Database

from app.db.core import DatabaseUnavailable
from app.db.schema import create_indexes
from app.db.search import film_search

Raw = Database[dict[str, Any]]
NEW_INDEX = "search_tokens_1_ranking_score_-1__id_-1"


def test_a_search_whose_index_is_yet_to_be_built_says_to_try_again(database: Raw) -> None:
    database.movies.drop_index(NEW_INDEX)
    try:
        with pytest.raises(DatabaseUnavailable, match="index"):
            film_search.search_movies("matrix")
    finally:
        assert create_indexes() == [f"movies.{NEW_INDEX}"]
    assert film_search.search_movies("matrix").rows == []


def test_an_index_waits_for_a_majority_of_members_only(database: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default a member that is away would keep an index from being ready, and an import waiting."""
    asked, create = [], Collection.create_indexes

    def noted(self: Any, indexes: Any, **options: Any) -> Any:
        asked.append(options)
        return create(self, indexes, **options)

    monkeypatch.setattr(Collection, "create_indexes", noted)
    database.movies.drop_index(NEW_INDEX)
    assert create_indexes() == [f"movies.{NEW_INDEX}"]
    assert asked == [{"commitQuorum": "majority"}]
