"""`make rotate-secrets`: passwords and keys are replaced, nobody notices, and nobody gets in with the old ones."""

from __future__ import annotations

import secrets as random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from pymongo.errors import OperationFailure, PyMongoError

from tests.deployed import Deployment, Inventory, Process, connect
from tests.drills.environment import start_ops
from tests.drills.test_1_power_loss import wait_for
from tests.drills.test_4_tls import PATIENCE, run_ops
from tests.drills.test_12_restart import at_rest
from tests.drills.visitor import visitor
from tests.drills.writer import Writer

pytestmark = pytest.mark.thorough

AUTHENTICATION_FAILED = 18


@pytest.fixture
def deployment(inventory: Inventory) -> Iterator[Deployment]:
    """New connections for each test, because passwords change."""
    with connect(Inventory.read()) as deployment:
        yield deployment


@contextmanager
def unnoticed(deployment: Deployment) -> Iterator[None]:
    """As test_12_restart's, with a user of its own: what is replaced must not be the writer's password."""
    inventory = deployment.inventory
    router, name, password = inventory.routers[0], f"drill-{random.token_hex(4)}", random.token_urlsafe(24)
    admin = deployment.client(router, "cluster-admin").admin
    admin.command("createUser", name, pwd=password, roles=[{"role": "readWrite", "db": "movie_library"}])
    with (
        deployment.new_client(router, name, password) as client,
        Writer(client) as writer,
        visitor(deployment, inventory) as somebody,
    ):
        wait_for(lambda: bool(somebody.signed_up and writer.acknowledged), "first sign-up and write")
        yield
        until_now, signed_up = len(writer.acknowledged), len(somebody.signed_up)
        wait_for(lambda: len(writer.acknowledged) > until_now, "another write")
        wait_for(lambda: len(somebody.signed_up) > signed_up, "another sign-up")
        assert writer.lost() == []
    print(f"{len(writer.acknowledged)} writes, failed: {writer.failures}")
    print(f"{len(somebody.answers)} requests, longest {max(answer.seconds for answer in somebody.answers):.1f} s")
    assert writer.failures_in_a_row() <= 1, writer.failures
    assert [answer for answer in somebody.answers if not 200 <= answer.status < 400] == []
    admin.command("dropUser", name)


def accepts(deployment: Deployment, process: Process, user: str, password: str) -> bool:
    with deployment.new_client(process, user, password) as client:
        try:
            client.admin.command("ping")
        except OperationFailure as error:
            assert error.code == AUTHENTICATION_FAILED  # noqa: PT017 - any other is a fault of the test
            return False
    return True


def logins(inventory: Inventory) -> list[tuple[Process, str]]:
    """Every process with every user that it knows."""
    found = [(process, process.administrator) for process in inventory.processes]
    found += [(inventory.routers[0], user["name"]) for user in inventory.database["cluster_database_users"]]
    shards = [member for name in inventory.shards for member in inventory.replica_sets[name]]
    return found + [(shard, user["name"]) for shard in shards for user in inventory.database["cluster_shard_users"]]


def users(deployment: Deployment, process: Process) -> set[str]:
    admin = deployment.client(process, process.administrator).admin
    return {user["user"] for user in admin.command("usersInfo")["users"]}


def check_replaced(before: dict[str, str]) -> None:
    """The new passwords are in force everywhere, and the old ones nowhere."""
    inventory = Inventory.read()
    with connect(inventory) as after:
        now = inventory.passwords
        replaced = set(before) - {"app_admin_login"} - {name for name in before if name.endswith("_before")}
        assert [name for name in replaced if now[name] == before[name]] == []
        for process, user in logins(inventory):
            name = user.replace("-", "_")
            assert accepts(after, process, user, now[name]), f"{process} rejects {user}'s new password"
            assert not accepts(after, process, user, before[name]), f"{process} accepts {user}'s old password"
        for process in [*inventory.routers, *(inventory.replica_sets[name][0] for name in inventory.shards)]:
            assert [user for user in users(after, process) if user.endswith("-b")] == []
        web = after.host(inventory.group("web")[0])
        settings = web.check_output("cat /etc/film-library/*.env")
        old = {name: before[name] for name in replaced}
        assert {name for name, value in old.items() if value in settings} == {
            *("flask_admin_secret_key", "flask_user_secret_key")
        }, "only the keys are still accepted"
        for app in ("user", "admin"):
            assert f"FILM_LIBRARY_SECRET_KEY={now[f'flask_{app}_secret_key']}\n" in settings
            assert f"FILM_LIBRARY_SECRET_KEY_FALLBACKS={before[f'flask_{app}_secret_key']}\n" in settings
        assert at_rest(after, inventory)
        assert not (inventory.secrets / "rotation.yml").exists()


def test_passwords_and_keys_are_replaced_and_nobody_notices(deployment: Deployment, tmp_path: Path) -> None:
    before = deployment.inventory.passwords
    with unnoticed(deployment):
        for what in ("passwords", "app-keys"):
            print(run_ops("rotate-secrets", output=tmp_path / what, WHAT=what))
    check_replaced(before)


def test_an_interrupted_one_is_completed_by_the_same_command(deployment: Deployment, tmp_path: Path) -> None:
    """At its worst moment: administrators have new passwords already, the apps' users old ones."""
    inventory = deployment.inventory
    before = inventory.passwords
    admin = deployment.client(inventory.routers[0], "cluster-admin").admin  # logged in before the change
    away = next(member for member in inventory.members if not deployment.client(member).is_primary)

    def second_users() -> bool:
        try:
            return any(user["user"].endswith("-b") for user in admin.command("usersInfo")["users"])
        except PyMongoError:
            return False

    with unnoticed(deployment):
        run = start_ops("rotate-secrets", output=tmp_path / "interrupted", WHAT="passwords")
        wait_for(second_users, "second user")
        run.send_signal(signal.SIGINT)
        assert run.wait(PATIENCE) == 130, (tmp_path / "interrupted").read_text()
        assert yaml.safe_load((inventory.secrets / "passwords.yml").read_text()) == before, "the old ones are known"
        assert (inventory.secrets / "rotation.yml").exists(), "and so are the new ones"
        # A process is off meanwhile: cluster-up starts what is there, though nobody knows which passwords are in force.
        deployment.host(away.host).check_output("systemctl stop %s", away.unit)
        for verb in ("up", "restart", "status"):
            code = start_ops(verb, output=tmp_path / verb).wait(PATIENCE)
            said = (tmp_path / verb).read_text()
            assert code == 1 or verb == "status", said
            assert "complete it with `make rotate-secrets" in said
        assert not [word for word in ("AuthenticationFailed", "no answer") if word in said], said
        run_ops("rotate-secrets", output=tmp_path / "again", WHAT="passwords")
        run_ops("rotate-secrets", output=tmp_path / "keys", WHAT="app-keys")
    check_replaced(before)


def is_the_cluster(deployment: Deployment, process: Process, key: str) -> bool:
    """Whether a key opens a process as the members' own user does."""
    own = {"username": "__system", "password": key, "authSource": "local", "authMechanism": "SCRAM-SHA-256"}
    with deployment.bare_client(process, **own, **deployment.tls) as client:
        try:
            client.admin.command("replSetGetStatus")
        except OperationFailure as error:
            assert error.code == AUTHENTICATION_FAILED  # noqa: PT017 - as above
            return False
    return True


def test_the_key_file_is_replaced_in_three_passes(deployment: Deployment, tmp_path: Path) -> None:
    """Interrupted in the second, when hosts differ."""
    inventory = deployment.inventory
    file = inventory.secrets / "keyfile"
    old = "".join(file.read_text().split())
    hosts = {name: deployment.host(name) for name in inventory.group("all")}
    read = "cat /etc/mongod/keyfile"

    def new_key_is_first() -> bool:
        text = hosts[inventory.group("config")[0]].check_output(read)
        return text.startswith("- ") and old not in text.splitlines()[0]

    with unnoticed(deployment):
        run = start_ops("rotate-secrets", output=tmp_path / "interrupted", WHAT="keyfile")
        wait_for(new_key_is_first, "second pass", seconds=PATIENCE)
        run.send_signal(signal.SIGINT)
        assert run.wait(PATIENCE) == 130, (tmp_path / "interrupted").read_text()
        assert "".join(file.read_text().split()) == old
        print(run_ops("rotate-secrets", output=tmp_path / "again", WHAT="keyfile"))
    new = "".join(file.read_text().split())
    assert new != old
    with connect(Inventory.read()) as after:
        for name in hosts:
            assert "".join(after.host(name).check_output(read).split()) == new
        for member in inventory.members:
            assert is_the_cluster(after, member, new)
            assert not is_the_cluster(after, member, old)
        assert at_rest(after, inventory)


@pytest.mark.parametrize(
    ("name", "said"), [("passwords.yml", "rejects film-library-user's password"), ("keyfile", "another key file")]
)
def test_other_secrets_are_refused_before_anything_is_written(
    deployment: Deployment, tmp_path: Path, name: str, said: str
) -> None:
    file = deployment.inventory.secrets / name
    before = file.read_text()
    other = {"keyfile": "b3RoZXI=\n"} | {
        "passwords.yml": before.replace(deployment.inventory.passwords["film_library_user"], "of-another-cluster")
    }
    hosts = [deployment.host(host) for host in deployment.inventory.group("all")]

    def written() -> list[str]:
        return [
            host.check_output("sha256sum /etc/mongod/keyfile /etc/film-library/*.env 2>/dev/null; true")
            for host in hosts
        ]

    on_hosts = written()
    file.write_text(other[name])
    try:
        assert start_ops("up", output=tmp_path / "up").wait(PATIENCE) == 1
    finally:
        file.write_text(before)
    assert said in (tmp_path / "up").read_text()
    assert written() == on_hosts
