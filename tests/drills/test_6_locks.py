"""Each lock is once taken out, and the attempt that it refuses succeeds: so it is this lock that refuses it.

Afterwards it is back, and the attempt is refused again. docs/security.md says which lock is for which attempt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from pymongo.database import Database
from pymongo.errors import OperationFailure

from ops.topology import ADMIN_APP_PORT, USER_APP_PORT
from tests.cluster.test_user_app import Person
from tests.deployed import Client, Deployment, Inventory
from tests.drills.attempts_on_data import BY_USER, LIBRARY
from tests.drills.attempts_on_locks import UNAUTHORIZED, Scene
from tests.drills.locks import LOCKS, taken_out
from tests.drills.rights import OnTheCopy, every_right, fill_the_copy, remove_what_attempts_leave
from tests.drills.superadmin import signed
from tests.drills.test_6_break_in import landed_at

pytestmark = pytest.mark.thorough
#: They come to nothing even with every right: for want of a server of that name, and because the mode only goes up.
BEYOND_RIGHTS = {"add a shard of one's own", "let everybody in without TLS"}
IN_A_FILE = [name for name in LOCKS if name != "a key for each app's cookies"]


@pytest.mark.parametrize("name", IN_A_FILE)
def test_only_without_the_lock_it_succeeds(
    deployment: Deployment, inventory: Inventory, tmp_path: Path, name: str
) -> None:
    lock = LOCKS[name](inventory)
    scene = Scene(deployment, inventory, tmp_path, lock.host, lock.process)

    def outcomes() -> dict[str, bool]:
        return {tried: attempt(scene) for tried, attempt in lock.attempts.items()}

    refused, succeeded = dict.fromkeys(lock.attempts, False), dict.fromkeys(lock.attempts, True)
    assert outcomes() == refused
    with taken_out(deployment, lock):
        assert outcomes() == succeeded
    assert outcomes() == refused


@pytest.fixture
def administrator(deployment: Deployment, inventory: Inventory) -> Client:
    return deployment.client(inventory.routers[0], "cluster-admin")


@pytest.mark.parametrize("user", BY_USER)
def test_with_more_rights_a_stolen_password_opens_everything(
    deployment: Deployment, inventory: Inventory, administrator: Client, user: str
) -> None:
    """On a library of the drill's own: only the refusals are of the real one."""
    password = inventory.passwords[user.replace("-", "_")]
    with deployment.new_client(inventory.routers[0], user, password) as stolen:
        try:
            for name, attempt in BY_USER[user].items():
                fill_the_copy(administrator)
                with every_right(administrator, user):
                    outcome = refusal(attempt, cast("Client", OnTheCopy(stolen)))
                if name in BEYOND_RIGHTS:
                    assert outcome not in (None, UNAUTHORIZED), name
                else:
                    assert outcome is None, name
        finally:
            remove_what_attempts_leave(administrator)
        for name, attempt in BY_USER[user].items():
            assert refusal(attempt, stolen) == UNAUTHORIZED, name


def refusal(attempt: Any, client: Client) -> int | None:
    """The error's code, None for a success."""
    try:
        attempt(client)
    except OperationFailure as error:
        return error.code
    return None


@pytest.mark.parametrize("namespace", ["local.oplog.rs", "admin.system.users", "config.system.sessions"])
def test_with_more_rights_the_monitor_reads_log_in_keys_on_a_shard(
    deployment: Deployment, inventory: Inventory, namespace: str
) -> None:
    members = inventory.replica_sets[inventory.shards[-1]]
    primary = next(one for one in members if deployment.client(one).admin.command("hello")["isWritablePrimary"])
    database, _, collection = namespace.partition(".")

    def outcome() -> int | None:
        with deployment.new_client(primary, "monitor", inventory.passwords["monitor"]) as client:
            return refusal(lambda client: client[database][collection].find_one(), client)

    assert outcome() == UNAUTHORIZED
    with every_right(deployment.client(primary, "shard-admin"), "monitor"):
        assert outcome() is None
    assert outcome() == UNAUTHORIZED


class Somebody(Person):
    """A user whose cookie, session and account are known."""

    def __init__(self, inventory: Inventory, library: Database[dict[str, Any]]) -> None:
        super().__init__(inventory)
        self.sign_up()
        (self.cookie,) = self.cookies()
        self.account = cast("dict[str, Any]", library["users"].find_one({"username": self.name}))
        self.session = cast("dict[str, Any]", library["sessions"].find_one({"user_id": self.account["_id"]}))


@pytest.fixture
def library(administrator: Client) -> Database[dict[str, Any]]:
    return administrator[LIBRARY]


@pytest.fixture
def somebody(inventory: Inventory, library: Database[dict[str, Any]]) -> Iterator[Somebody]:
    person = Somebody(inventory, library)
    yield person
    library["sessions"].delete_many({"user_id": person.account["_id"]})
    person.log_in()
    person.leave()


def test_one_apps_cookie_opens_the_other_without_keys_and_sessions_apart(
    deployment: Deployment, inventory: Inventory, library: Database[dict[str, Any]], somebody: Somebody
) -> None:
    """Two locks: either alone still refuses."""
    page = f"{inventory.site(inventory.group('web')[0], ADMIN_APP_PORT)}/collections/movies"

    def gets_in() -> bool:
        return landed_at(inventory, page, f"__Host-film-library-admin={somebody.cookie}") == page

    def copy() -> None:
        library["administrators"].insert_one({**somebody.account, "admin_status": 1})
        library["admin_sessions"].insert_one(somebody.session)

    def remove() -> None:
        library["administrators"].delete_one({"_id": somebody.account["_id"]})
        library["admin_sessions"].delete_one({"_id": somebody.session["_id"]})

    try:
        copy()
        assert not gets_in()
        with taken_out(deployment, LOCKS["a key for each app's cookies"](inventory)):
            assert gets_in()
            remove()
            assert not gets_in()
    finally:
        remove()


def test_an_ended_sessions_cookie_works_if_the_session_is_stored_again(
    inventory: Inventory, library: Database[dict[str, Any]], somebody: Somebody
) -> None:
    page = f"{inventory.site(inventory.group('web')[0], USER_APP_PORT)}/account"

    def gets_in() -> bool:
        return landed_at(inventory, page, f"__Host-film-library-user={somebody.cookie}") == page

    assert gets_in()
    somebody.send("/log-out", "/account")
    assert not gets_in()
    library["sessions"].insert_one(somebody.session)
    assert gets_in()
    library["sessions"].delete_one({"_id": somebody.session["_id"]})
    assert not gets_in()


def test_a_forged_cookie_works_with_the_apps_key_and_a_stored_session(
    inventory: Inventory, library: Database[dict[str, Any]], somebody: Somebody
) -> None:
    """Again two locks."""
    page = f"{inventory.site(inventory.group('web')[0], USER_APP_PORT)}/account"
    token = "chosen by the attacker"

    def gets_in(key: str) -> bool:
        cookie = signed(key, {"_user_id": token})
        return landed_at(inventory, page, f"__Host-film-library-user={cookie}") == page

    right, wrong = inventory.passwords["flask_user_secret_key"], "a key that somebody has made up"
    assert not gets_in(right)
    stored = {**somebody.session, "_id": hashlib.sha256(token.encode()).hexdigest()}
    library["sessions"].insert_one(stored)
    assert not gets_in(wrong)
    assert gets_in(right)
    library["sessions"].delete_one({"_id": stored["_id"]})
    assert not gets_in(right)
