"""What somebody tries whom a lock keeps out: each attempt tells whether it succeeds."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from ops.topology import MONGOS_PORT
from tests import attempts
from tests.deployed import Client, Deployment, Inventory, Process
from tests.drills.capture import recorded
from tests.roles.cluster import test_firewall, test_javascript, test_tls, web

UNAUTHORIZED = 13


@dataclass(frozen=True)
class Scene:
    """Where an attempt is made. `process` is the MongoDB process whose lock it is, if it is one's."""

    deployment: Deployment
    inventory: Inventory
    scratch: Path
    host: str
    process: Process | None

    @property
    def target(self) -> Process:
        assert self.process
        return self.process

    @property
    def web(self) -> str:
        return self.inventory.group("web")[0]


Attempt = Callable[[Scene], bool]  # whether it succeeds


def wrongly(wrong: test_tls.Wrong) -> Attempt:
    """To talk to the process as test_tls.py does it wrongly."""

    def attempt(scene: Scene) -> bool:
        options = wrong(scene.deployment.tls, scene.inventory.authority, scene.scratch)
        return test_tls.answers(scene.deployment, scene.target, options)

    return attempt


def old_protocol(scene: Scene) -> bool:
    connect = f"openssl s_client -connect 127.0.0.1:{scene.target.port} -cert {test_tls.DIRECTORY}/mongodb.pem"
    tried = scene.deployment.host(scene.host).run(f"{connect} -tls1_1 -cipher DEFAULT:@SECLEVEL=0 < /dev/null")
    return "New, (NONE)" not in tried.stdout and "TLSv1" in tried.stdout


def read_on_the_wire(scene: Scene) -> bool:
    """A log-in without TLS, and a record of what the router's host receives."""
    address, record = scene.inventory.address(scene.host), scene.scratch / "record"
    with (
        recorded(address, record),
        MongoClient(address, MONGOS_PORT, serverSelectionTimeoutMS=2_000) as client,
        suppress(PyMongoError),
    ):
        client.admin.command("saslStart", mechanism="SCRAM-SHA-256", payload=b"n,,n=somebody,r=x")
    return b"saslStart" in record.read_bytes()


def allowed(act: Callable[[Client], Any], client: Client, *, refusals: set[int]) -> bool:
    """Whether an act isn't refused with one of these codes. Raises OperationFailure with any other."""
    with client:
        try:
            act(client)
        except OperationFailure as error:
            if error.code in refusals:
                return False
            raise
    return True


def nobody_asks(command: str) -> Attempt:
    """A command of an administrator, without a password, on the host itself."""

    def attempt(scene: Scene) -> bool:
        client = scene.deployment.new_client(scene.target, None, None)
        return allowed(lambda client: client.admin.command(command), client, refusals={UNAUTHORIZED})

    return attempt


def first_user(scene: Scene) -> bool:
    """Through the localhost exception. A secondary couldn't store it, if it were allowed."""
    client = scene.deployment.new_client(scene.target, None, None)
    create = {"createUser": "evil", "pwd": "evil", "roles": ["root"]}
    return allowed(lambda client: client.admin.command(create), client, refusals={UNAUTHORIZED})


def script_in(command: dict[str, Any]) -> Attempt:
    def attempt(scene: Scene) -> bool:
        administrator = scene.target.administrator
        password = scene.inventory.passwords[administrator.replace("-", "_")]
        client = scene.deployment.new_client(scene.target, administrator, password)
        return allowed(lambda client: client.admin.command(command), client, refusals=test_javascript.NO_JAVASCRIPT)

    return attempt


def from_outside(scene: Scene) -> bool:
    member = next(member for member in scene.inventory.members if member.host == scene.host)
    return attempts.passes((scene.inventory.address(member.host), member.port))


def members_as_the_user_app(scene: Scene) -> bool:
    members = [(scene.inventory.address(member.host), member.port) for member in scene.inventory.members]
    reached = test_firewall.reached_by(scene.deployment.host(scene.host), "film-library-user", members)
    return reached == set(members)


def ssh_as_the_databases_user(scene: Scene) -> bool:
    target = ("127.0.0.1", test_firewall.SSH)
    return test_firewall.reached_by(scene.deployment.host(scene.host), "mongodb", [target]) == {target}


def another_sets_data(scene: Scene) -> bool:
    """As who took over the process: in its view of the file system, as its user."""
    host = scene.deployment.host(scene.host)
    pid = host.check_output("systemctl show --property=MainPID --value %s", scene.target.unit)
    other = next(m for m in scene.inventory.members if m.host == scene.host and m.name != scene.target.name)
    file = f"/var/lib/mongodb/{other.name}/evil"
    try:
        return (
            host.run(
                "nsenter --target %s --mount setpriv --reuid=mongodb --regid=mongodb --clear-groups touch %s", pid, file
            ).rc
            == 0
        )
    finally:
        host.check_output("rm --force %s", file)


def ssh_with_a_password(scene: Scene) -> bool:
    """As a user who exists for the attempt alone, with the right password."""
    host, password = scene.deployment.host(scene.host), "a guessed password"
    answer = scene.scratch / "answer"
    answer.write_text(f"#!/bin/sh\necho {shlex.quote(password)}\n")
    answer.chmod(0o700)
    # testinfra takes ssh's exit code, 255, for a broken connection of its own.
    host.check_output("useradd --no-create-home --shell /bin/sh guessed")
    try:
        scene.deployment.run_with_input(scene.host, ["chpasswd"], f"guessed:{password}\n")
        options = ["PubkeyAuthentication=no", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        words = ["ssh", *(word for option in options for word in ("-o", option))]
        tried = subprocess.run(
            [*words, f"guessed@{scene.inventory.address(scene.host)}", "echo inside"],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force"},
        )
    finally:
        host.check_output("userdel guessed")
    if tried.stdout != "inside\n":
        assert "Permission denied" in tried.stderr, tried.stderr
    return tried.stdout == "inside\n"


def flood(scene: Scene) -> bool:
    statuses = web.flood(scene.inventory, scene.web)
    web.wait_until_served(scene.inventory, scene.web)
    return statuses == {b"200"}


def somebody_elses_name(scene: Scene) -> bool:
    try:
        return web.get(scene.inventory, scene.web, "user", "/log-in", Host="evil.example").status == 200
    except ConnectionError:
        return False
