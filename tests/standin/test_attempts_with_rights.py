"""What the break-in drill tries does work for somebody with all rights: so it is the rights that refuse it there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from tests.drills.attempts_on_data import ACCOUNTS, CHANGES_OF_SHAPE, FILMS, LIBRARY, RANSOM, USERS

Document = dict[str, Any]
#: These fail for want of a server of that name, and of certificates. The root role has no rights on `config.system`.
BEYOND_RIGHTS = {"add a shard of one's own", "let everybody in without TLS", "read sessions of the cluster"}
#: What destroys comes last.
ATTEMPTS = ACCOUNTS | USERS | FILMS | CHANGES_OF_SHAPE | dict(reversed(RANSOM.items()))


@pytest.fixture(scope="module")
def library(router: MongoClient[Document]) -> Iterator[MongoClient[Document]]:
    """A library with a document in each collection, of which nothing is left in the end."""
    names = ["administrators", "admin_sessions", "users", "sessions", "audit_log"]
    for name in names:
        router[LIBRARY][name].insert_one({"_id": "one"})
    router[LIBRARY]["movies"].insert_one({"title": "Metropolis"})
    router[LIBRARY]["movies"].create_index("title")
    (user,) = router.admin.command("usersInfo", "film-library-user")["users"]
    yield router
    router.admin.command("updateUser", "film-library-user", roles=user["roles"])
    for added in router.admin.command("usersInfo", "evil")["users"]:
        router.admin.command("dropUser", added["user"])
    for name in (LIBRARY, "READ_ME"):
        router.drop_database(name)


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_it_works_with_all_rights(
    library: MongoClient[Document], request: pytest.FixtureRequest, attempt: Callable[[MongoClient[Document]], Any]
) -> None:
    if request.node.callspec.id in BEYOND_RIGHTS:
        with pytest.raises(OperationFailure):
            attempt(library)
    else:
        assert attempt(library) is not None
