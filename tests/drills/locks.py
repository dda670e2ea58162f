"""Locks of a deployed cluster that are settings in files: how each is taken out, and the attempts that it is for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.deployed import Deployment, Inventory, Process
from tests.drills import attempts_on_locks as attempts
from tests.drills.attempts_on_locks import Attempt
from tests.drills.test_1_power_loss import wait_for
from tests.roles.cluster import test_javascript, test_tls


@dataclass(frozen=True)
class Lock:
    """`edits` maps files of the host to scripts for sed, which take the lock out once `apply` has run."""

    host: str
    edits: dict[str, str]
    apply: str
    attempts: dict[str, Attempt]
    process: Process | None = None
    before: str = "true"
    after: str = "true"


Place = Callable[[Inventory], Lock]


@contextmanager
def taken_out(deployment: Deployment, lock: Lock) -> Iterator[None]:
    """The lock is out while the context lasts, and back afterwards whatever happens.

    A drill that was killed leaves its copies of the files: they are put back first, as another would replace them.
    """
    host = deployment.host(lock.host)
    _put_back(deployment, lock)
    host.check_output(lock.before)
    try:
        for file, script in lock.edits.items():
            # The files' owners and modes stay.
            host.check_output("sed --in-place=.kept --regexp-extended %s %s", script, file)
            assert host.run("cmp --silent %s %s.kept", file, file).rc == 1, f"{script!r} changes nothing in {file}"
        _apply(deployment, lock)
        yield
    finally:
        _put_back(deployment, lock)
        _apply(deployment, lock)
        host.check_output(lock.after)
        if lock.process:
            wait_for(lambda: _serves(deployment, lock.process), f"{lock.process} in its replica set again")


def _put_back(deployment: Deployment, lock: Lock) -> None:
    for file in lock.edits:
        deployment.host(lock.host).run("test ! -e %s.kept || mv %s.kept %s", file, file, file)


def _apply(deployment: Deployment, lock: Lock) -> None:
    deployment.host(lock.host).check_output(lock.apply)
    if lock.process:
        deployment.wait_until_it_answers(lock.process)


def _serves(deployment: Deployment, process: Process | None) -> bool:
    assert process
    with deployment.new_client(process, None, None) as client:
        state = client.admin.command("hello")
    return bool(state.get("secondary") or state.get("isWritablePrimary"))


def on_member(script: str, *, before: str = "true", after: str = "true", **tried: Attempt) -> Place:
    def place(inventory: Inventory) -> Lock:
        member = inventory.members[-1]
        apply = f"systemctl restart {member.unit}"
        edits = {f"/etc/mongod/{member.name}.conf": script.format(name=member.name)}
        words = {"before": before.format(name=member.name), "after": after.format(name=member.name)}
        return Lock(member.host, edits, apply, _named(tried), member, **words)

    return place


def on_members_unit(script: str, **tried: Attempt) -> Place:
    def place(inventory: Inventory) -> Lock:
        member = inventory.members[-1]
        apply = f"systemctl daemon-reload && systemctl restart {member.unit}"
        return Lock(member.host, {"/etc/systemd/system/mongod@.service": script}, apply, _named(tried), member)

    return place


def on_router(script: str, **tried: Attempt) -> Place:
    def place(inventory: Inventory) -> Lock:
        router = inventory.routers[0]
        return Lock(
            router.host, {"/etc/mongos.conf": script}, "systemctl restart mongos.service", _named(tried), router
        )

    return place


def on_host(group: str, edits: dict[str, str], apply: str, **tried: Attempt) -> Place:
    return lambda inventory: Lock(inventory.group(group)[0], edits, apply, _named(tried))


def _named(tried: dict[str, Attempt]) -> dict[str, Attempt]:
    return {name.replace("_", " "): attempt for name, attempt in tried.items()}


NGINX, SETTINGS = "/etc/nginx/nginx.conf", "/etc/film-library"
RULES, SSHD = "/etc/film-library-firewall/boot.nft", "/etc/ssh/sshd_config.d/00-film-library.conf"
LOAD_RULES = f"nft --file {RULES}"

LOCKS: dict[str, Place] = {
    "packet filter, incoming": on_host(
        "config", {RULES: "/hook input/s/policy drop/policy accept/"}, LOAD_RULES, reach_a_member=attempts.from_outside
    ),
    "packet filter, the user app's outgoing": on_host(
        "web",
        {RULES: '/skuid "film-library-user" reject/d'},
        LOAD_RULES,
        reach_members=attempts.members_as_the_user_app,
    ),
    "packet filter, the database's outgoing": on_host(
        "config", {RULES: '/skuid "mongodb" reject/d'}, LOAD_RULES, reach_ssh=attempts.ssh_as_the_databases_user
    ),
    "TLS of a member": on_member("s/requireTLS/preferTLS/", connect_without_TLS=attempts.wrongly(test_tls.plain)),
    "TLS of the router": on_router(
        "s/requireTLS/preferTLS/",
        connect_without_TLS=attempts.wrongly(test_tls.plain),
        read_the_network=attempts.read_on_the_wire,
    ),
    "a client's certificate": on_member(
        "s/(allowConnectionsWithoutCertificates:) false/\\1 true/",
        connect_without_a_certificate=attempts.wrongly(test_tls.without_certificate),
    ),
    "the authority of certificates": on_member(
        "s/^( *)CAFile:.*/&\\n\\1allowInvalidCertificates: true/",
        show_an_expired_certificate=attempts.wrongly(test_tls.expired_certificate),
        show_one_of_another_authority=attempts.wrongly(test_tls.foreign_certificate),
    ),
    "protocols": on_member(
        "s/(disabledProtocols:).*/\\1 none/; s/^setParameter:/&\\n  opensslCipherConfig: DEFAULT:@SECLEVEL=0/",
        speak_an_old_protocol=attempts.old_protocol,
    ),
    "authorization": on_member(
        "s/authorization: enabled/transitionToAuth: true/",
        ask_for_databases=attempts.nobody_asks("listDatabases"),
        ask_for_the_replica_set=attempts.nobody_asks("replSetGetStatus"),
        ask_for_users=attempts.nobody_asks("usersInfo"),
    ),
    # A process that has a user has no localhost exception. So it gets data without one.
    "a first user": on_member(
        "s|(dbPath:).*|\\1 /var/lib/mongodb/{name}/empty|; /^replication:/,/^$/d; /^sharding:/,/^$/d",
        before="install --directory --owner=mongodb --group=mongodb --mode=700 /var/lib/mongodb/{name}/empty",
        after="rm --recursive /var/lib/mongodb/{name}/empty",
        create_the_first_user=attempts.first_user,
    ),
    "no JavaScript": on_member(
        "/javascriptEnabled/d",
        **{name: attempts.script_in(command) for name, command in test_javascript.COMMANDS.items()},
    ),
    "a unit's view of the file system": on_members_unit(
        "/^ProtectSystem=/d", write_into_another_sets_data=attempts.another_sets_data
    ),
    "ssh by key only": on_host(
        "config",
        {SSHD: "s/(PasswordAuthentication) no/\\1 yes/"},
        "systemctl restart ssh.service",
        log_in_with_a_password=attempts.ssh_with_a_password,
    ),
    "limit of requests": on_host(
        "web", {NGINX: "/limit_req zone=requests/d"}, "systemctl restart nginx.service", send_a_flood=attempts.flood
    ),
    # nginx and the app each have one.
    "host names": on_host(
        "web",
        {
            NGINX: (
                "s|return 444;|location / { proxy_pass http://film-library-user; proxy_set_header Host $http_host; }|"
            ),
            f"{SETTINGS}/user.env": "/^FILM_LIBRARY_TRUSTED_HOSTS=/d",
        },
        "systemctl restart nginx.service film-library-user.service",
        ask_under_somebody_elses_name=attempts.somebody_elses_name,
    ),
    "a key for each app's cookies": on_host(
        "web",
        {
            f"{SETTINGS}/admin.env": "/^FILM_LIBRARY_SECRET_KEY=/d",
            "/etc/systemd/system/film-library-admin.service": (f"s|^EnvironmentFile=|&{SETTINGS}/user.env\\n&|"),
        },
        "systemctl daemon-reload && systemctl restart film-library-admin.service",
    ),
}
