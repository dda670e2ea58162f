"""The directory of people: found by name, shown with their films, and in step with the credits."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.database import Database

from app.db import operations
from app.db.core import BadQuery, NotFound
from app.db.films import person_directory
from app.db.films.person_directory import find, named

Raw = Database[dict[str, Any]]
Add = Callable[..., None]
Credits = Callable[..., None]


@pytest.fixture
def add_credits(database: Raw, add_films: Add) -> Credits:
    """Credit people, as (name, role, films): f001 to f009 are there, f009 the best. Then bring the directory up."""
    add_films(*({"title": f"Film {n}", "imdb_score": n, "imdb_votes": 1000} for n in range(1, 10)))

    def add(*people: tuple[str, str, list[int]]) -> None:
        items = [
            {"movie_id": f"f{film:03}", "name": name, "role": role} for name, role, films in people for film in films
        ]
        counts, rejects = operations.insert_documents("credits", items)
        assert counts.inserted == len(items), rejects
        person_directory.refresh()

    return add


@pytest.fixture
def known(add_credits: Credits) -> None:
    add_credits(
        ("Tom Hanks", "ACTOR", [1, 2, 3, 4, 5]),
        ("Tom Hanks", "DIRECTOR", [1]),
        ("Colin Hanks", "ACTOR", [6, 7]),
        ("Tom Hankson", "DIRECTOR", [1, 2, 3]),
        ("Tom Hooper", "DIRECTOR", [8]),
        ("Chloë O'Łódź", "ACTOR", [9]),
        ("Thomas Anderson", "WRITER", [1, 2, 3, 4]),
        ("王家卫", "DIRECTOR", [4]),
    )


def names(people: list[dict[str, Any]]) -> list[str]:
    return [person["name"] for person in people]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tom", ["Tom Hanks", "Tom Hankson", "Tom Hooper"]),
        ("to", ["Tom Hanks", "Tom Hankson", "Tom Hooper"]),
        ("hanks t", ["Tom Hanks"]),
        ("HANKS tom", ["Tom Hanks"]),
        ("tom hanks", ["Tom Hanks", "Tom Hankson"]),
        ("t hanks", []),  # only the last word may be unfinished
        ("an", ["Thomas Anderson"]),  # from the beginning of a word
        ("chloe olodz", ["Chloë O'Łódź"]),
        ("王", ["王家卫"]),
        ("tom tom", ["Tom Hanks", "Tom Hankson", "Tom Hooper"]),
        ("tom nobody", []),
        (".*", []),
        ("", []),
    ],
)
def test_people_are_found_by_all_words_in_any_order_most_films_first(text: str, found: list[str]) -> None:
    assert names(find(text)) == found
    assert names(find(text, limit=1)) == found[:1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tom hanks", ["Tom Hanks"]),
        ("hanks", ["Tom Hanks", "Colin Hanks"]),
        ("hanks tom", ["Tom Hanks"]),
        ("hank", ["Tom Hanks", "Tom Hankson", "Colin Hanks"]),
        ("nobody", []),
        ("?", []),
    ],
)
@pytest.mark.usefixtures("known")
def test_a_typed_name_means_those_of_that_name_then_of_its_words_then_of_its_beginning(
    text: str, found: list[str]
) -> None:
    assert names(named(text)) == found
    assert names(named(text, limit=1)) == found[:1]


def test_who_has_exactly_the_name_goes_before_who_has_more_films(add_credits: Credits) -> None:
    add_credits(("Al Pacino", "ACTOR", [1]), ("Al Pacino Junior", "ACTOR", [1, 2]))
    assert names(named("al pacino")) == ["Al Pacino"]
    assert names(find("al pacino")) == ["Al Pacino Junior", "Al Pacino"]


@pytest.mark.usefixtures("known")
def test_people_are_found_by_role() -> None:
    assert set(names(find("tom", role="ACTOR"))) == {"Tom Hanks"}
    assert set(names(find("tom", role="DIRECTOR"))) == {"Tom Hanks", "Tom Hankson", "Tom Hooper"}
    assert names(named("hanks", role="DIRECTOR")) == ["Tom Hanks"]
    (tom,) = find("tom hanks", role="ACTOR")
    assert (tom["roles"], tom["films"]) == (["DIRECTOR", "ACTOR"], 5)


@pytest.mark.usefixtures("known")
def test_where_a_word_or_a_beginning_is_common_the_same_people_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ("t", "tom", "tom h", "hanks t", "h tom", "an")
    before = [find(text, role=role) for text in texts for role in (None, "ACTOR")]
    monkeypatch.setattr(person_directory, "MANY", 1)
    assert [find(text, role=role) for text in texts for role in (None, "ACTOR")] == before


@pytest.mark.usefixtures("known")
def test_with_unfinished_words_each_is_a_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (
        names(find("t hanks", unfinished=True)) == names(find("ha to", unfinished=True)) == ["Tom Hanks", "Tom Hankson"]
    )
    assert names(find("t ha n", unfinished=True)) == []
    monkeypatch.setattr(person_directory, "MANY", 1)  # all beginnings are common
    assert names(find("t ha", unfinished=True)) == ["Tom Hanks", "Tom Hankson"]
    monkeypatch.setattr(person_directory, "WELL_KNOWN", 1)
    assert names(find("t ha", unfinished=True)) == ["Tom Hanks"]


@pytest.mark.usefixtures("known")
def test_a_person_is_shown_with_films_by_role_best_first(database: Raw) -> None:
    identifier = find("tom hanks")[0]["_id"]
    database.credits.update_one({"person_id": identifier, "movie_id": "f003"}, {"$set": {"character": "Forrest"}})
    person = person_directory.person(identifier)
    assert (person["name"], person["roles"], person["films"]) == ("Tom Hanks", ["DIRECTOR", "ACTOR"], 5)
    works = {role: [film["_id"] for film in films] for role, films in person["works"].items()}
    assert works == {"DIRECTOR": ["f001"], "ACTOR": ["f005", "f004", "f003", "f002", "f001"]}
    assert list(works) == ["ACTOR", "DIRECTOR"]
    third = person["works"]["ACTOR"][2]
    assert (third["character"], third["title"], "description" in third) == ("Forrest", "Film 3", False)
    database.movies.delete_one({"_id": "f005"})  # past app.db, which takes the credits along
    assert len(person_directory.person(identifier)["works"]["ACTOR"]) == 4
    for gone in ("nobody", "", "\x00"):
        with pytest.raises(NotFound):
            person_directory.person(gone)


@pytest.mark.parametrize(
    ("films", "first"),
    [
        ({"DIRECTOR": 30, "WRITER": 3, "ACTOR": 31}, "DIRECTOR"),  # Hitchcock, whom one sees in each
        ({"DIRECTOR": 10, "WRITER": 15, "ACTOR": 26}, "DIRECTOR"),  # Tarantino
        ({"DIRECTOR": 2, "WRITER": 2, "ACTOR": 44}, "ACTOR"),  # Pacino
        ({"WRITER": 2, "ACTOR": 2}, "WRITER"),
    ],
)
def test_people_are_known_for_directing_unless_they_tried_it_only_twice(films: dict[str, int], first: str) -> None:
    assert person_directory.known_for(films)[0] == first


@pytest.mark.usefixtures("database")
def test_invalid_names_are_refused() -> None:
    for bad in (None, 5, ["tom"], {"$ne": ""}, b"tom", "x" * 201, "a " * 50):
        for look_for in (find, named):
            with pytest.raises(BadQuery):
                look_for(bad)  # type: ignore[arg-type]
    for arguments in ({"role": "PRODUCER"}, {"role": {"$ne": 1}}, {"role": ["ACTOR"]}, {"limit": 0}, {"limit": 501}):
        with pytest.raises(BadQuery):
            find("tom", **arguments)
    for bad in (None, 5, "x" * 65, {"$ne": ""}):
        with pytest.raises(BadQuery):
            person_directory.person(bad)  # type: ignore[arg-type]


# -- in step with the credits


def directory(database: Raw) -> list[dict[str, Any]]:
    return list(database.people.find().sort("_id"))


@pytest.mark.usefixtures("known")
def test_a_refresh_repairs_the_directory_and_a_second_one_changes_nothing(
    database: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = directory(database)
    assert len(right) == 7
    assert person_directory.refresh() == 0
    monkeypatch.setattr(person_directory, "BATCH", 2)
    for sign in ("$lt", "$gt"):
        database.people.delete_one({"_id": {sign: right[3]["_id"]}})
    database.people.update_one({"_id": right[3]["_id"]}, {"$set": {"films": 99, "left": "over"}})
    database.people.insert_many([{"_id": key, "name": "Gone", "words": ["gone"]} for key in ("a", "p5", "z")])
    assert person_directory.refresh() == 6
    assert directory(database) == right
    database.credits.delete_many({})
    assert person_directory.refresh() == 7
    assert directory(database) == []


@pytest.mark.usefixtures("known")
def test_concurrent_refreshes_give_the_same_result(database: Raw) -> None:
    right = directory(database)
    for _ in range(5):
        database.people.delete_many({})
        database.people.insert_one({"_id": "gone", "name": "Gone", "words": ["gone"]})
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: person_directory.refresh(), range(4)))
        assert directory(database) == right


def test_the_commonest_spelling_is_the_name(database: Raw, add_credits: Credits) -> None:
    add_credits(("Ann Lee", "ACTOR", [1, 2]), ("ANN LEE", "ACTOR", [3]), ("ann lee", "ACTOR", [4, 5, 6]))
    (ann,) = directory(database)
    assert (ann["name"], ann["words"], ann["films"]) == ("ann lee", ["ann", "lee"], 6)


@pytest.mark.usefixtures("known")
def test_a_single_credit_brings_its_person_up_to_date(database: Raw) -> None:
    before = directory(database)
    credit = {"movie_id": "f001", "name": "New Face", "role": "WRITER"}
    identifier = operations.insert_credit(credit)
    written = operations.find_document("credits", identifier)
    for _ in range(2):
        person_directory.note_all([written["person_id"]])
        assert [(row["roles"], row["films"]) for row in find("new face")] == [(["WRITER"], 1)]
    operations.delete_document("credits", identifier)
    person_directory.note_all([written["person_id"]])
    assert directory(database) == before
    assert person_directory.refresh() == 0


@pytest.mark.usefixtures("known")
def test_what_is_written_during_a_refresh_is_kept(database: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is added, somebody gets another name and somebody goes after their credits have been read."""
    credits = {row["name"]: row for row in database.credits.find({"movie_id": {"$in": ["f008", "f009", "f007"]}})}
    hooper, chloe, colin = (credits[name] for name in ("Tom Hooper", "Chloë O'Łódź", "Colin Hanks"))
    database.people.update_one({"_id": hooper["person_id"]}, {"$set": {"films": 9}})
    database.people.delete_many({"_id": {"$in": [chloe["person_id"], colin["person_id"]]}})
    read, once = person_directory._changes, [True]

    def read_early(person_ids: list[str]) -> Any:
        changes = read(person_ids)
        if once and once.pop():
            operations.update_document("credits", str(hooper["_id"]), {"name": "New Name"})
            operations.delete_document("credits", str(chloe["_id"]))
            operations.insert_credit({"movie_id": "f001", "name": "Colin Hanks", "role": "WRITER"})
            operations.insert_credit({"movie_id": "f001", "name": "New Face", "role": "WRITER"})
        return changes

    monkeypatch.setattr(person_directory, "_changes", read_early)
    person_directory.refresh()
    assert not once
    assert sorted(names(find("new"))) == ["New Face", "New Name"]
    assert (find("hooper"), find("chloe")) == ([], [])
    assert find("colin")[0]["films"] == 3
    assert person_directory.refresh() == 0


@pytest.mark.usefixtures("known")
@given(text=st.text(max_size=220) | st.text("tomhanks .\"'\\$*^(", max_size=30))
def test_no_text_breaks_the_search_for_a_person(text: str) -> None:
    for look_for in (find, named):
        with suppress(BadQuery):
            assert all({"_id", "name", "roles", "films"} == row.keys() for row in look_for(text))
