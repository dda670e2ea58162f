"""`python -m ops`, called by the Makefile's targets with ENV, TOPOLOGY and so on as environment variables."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from ops import (
    backup_host,
    backups,
    changes,
    fleet,
    hosts,
    inventory,
    preflight,
    restore,
    rotation,
    secrets,
    source,
    status,
    stores,
    targets,
)
from ops.audit import audit
from ops.aws import cluster as aws
from ops.aws import fleet as aws_fleet
from ops.aws.down import down as aws_down
from ops.dev import dev
from ops.down import down
from ops.errors import OpsError
from ops.locks import LockedError, exclusive
from ops.molecule import molecule
from ops.paths import ROOT, secrets_dir
from ops.preflight import refusal
from ops.renew import renew
from ops.settings import LOCAL_SUBNETS, Settings, SettingsError
from ops.try_host import ENV as TRY_ENV
from ops.try_host import try_host
from ops.up import start, up
from ops.verify import verify


def _up(_: argparse.Namespace) -> int:
    settings = preflight.check(os.environ)
    secrets.check(settings.env)
    request = restore.Request.read(os.environ, "RESTORE") if os.environ.get("RESTORE") else None
    if settings.env == "aws":
        targets.check_account(settings)
    if said := rotation.reminder(settings.env):
        (aws.start if settings.env == "aws" else start)(settings)
        raise OpsError(f"Only started what is there. {said}, then run this again")
    if request is not None:
        restore.check(settings.env, request)
    if settings.env == "aws":
        return aws.up(settings, os.environ, request)
    return up(settings, request)


def _plan(_: argparse.Namespace) -> int:
    return aws.plan(targets.aws_settings("plan"))


def _stop(_: argparse.Namespace) -> int:
    settings = targets.aws_settings("stop")
    rotation.refuse_pending(settings.env)
    return aws.stop(settings, os.environ)


def _start(_: argparse.Namespace) -> int:
    return aws.start(targets.aws_settings("start"))


def _renew_certificates(_: argparse.Namespace) -> int:
    settings = Settings.read(os.environ)
    rotation.refuse_pending(settings.env)
    if settings.env == "aws":
        targets.check_account(settings)
        return aws.renew_certificates(settings)
    return renew(settings.env, [fleet.inventory_file(settings.env)])


def _restart(_: argparse.Namespace) -> int:
    env, inventories = targets.running()
    rotation.refuse_pending(env)
    return changes.restart(env, inventories, os.environ)


def _rotate(_: argparse.Namespace) -> int:
    return changes.rotate(*targets.running(), os.environ)


def _down(_: argparse.Namespace) -> int:
    settings = Settings.read(os.environ)
    if settings.env == "aws":
        targets.check_account(settings)
        return aws_down(settings.env, os.environ)
    return _remove(settings.env)


def _remove(env: str) -> int:
    removed = down(env, os.environ)
    for name in removed:
        print(f"removed {name}")
    if not removed:
        print(f"nothing to remove for {env}")
    return 0


def _status(arguments: argparse.Namespace) -> int:
    settings = Settings.read(os.environ)
    secrets.check(settings.env)
    if settings.env == "aws":
        targets.check_account(settings)
    local = settings.env != "aws"
    with fleet.local(settings.env) if local else aws_fleet.reach(settings.env) as hosts:
        state = status.collect(settings.env, hosts)
    print(status.as_json(state) if arguments.json else status.render(state, phases=True))
    if said := rotation.reminder(settings.env):
        print(f"SECRETS: {said}", file=sys.stderr)
    return 0 if state.healthy and not (state.backup_problems or state.index_problems) else 1


def _backup(_: argparse.Namespace) -> int:
    settings, host = targets.backups()
    made = backup_host.make(host)
    print(f"{made.backup}: {made.documents:,} documents, {made.size / 1e6:,.1f} MB")
    if settings.env != "aws":
        backups.bring(settings.env, host)
    return 0


def _backup_fetch(_: argparse.Namespace) -> int:
    settings, host = targets.backups()
    if settings.env == "aws":
        raise OpsError("ENV=aws: backups are in S3, and nothing is fetched; see `make backup-list ENV=aws`")
    backups.bring(settings.env, host)
    return 0


def _backup_list(_: argparse.Namespace) -> int:
    env = Settings.read(os.environ).env
    print(backups.render(env, stores.place(env)))
    return 0


def _restore(_: argparse.Namespace) -> int:
    request = restore.Request.read(os.environ)
    run = restore.put_back if request.collection else restore.restore
    return run(targets.reachable(), request, os.environ)


def _restore_undo(_: argparse.Namespace) -> int:
    return restore.undo(targets.reachable(), os.environ)


def _restore_cleanup(_: argparse.Namespace) -> int:
    return restore.cleanup(targets.reachable(), os.environ)


def _backup_verify(_: argparse.Namespace) -> int:
    settings = Settings.read(os.environ)
    secrets.check(settings.env)
    request = restore.Request.read({**os.environ, "BACKUP": os.environ.get("BACKUP") or "latest"})

    def note(backup: str) -> None:
        stores.note_verified(settings.env, backup)
        try:
            backup_host.note_verified(targets.backups()[1], backup)
        except OpsError as error:  # it needs no cluster
            print(f"The cluster doesn't know that it was verified: {error}")

    return verify(settings.env, request, note)


def _encrypt(_: argparse.Namespace) -> int:
    env = Settings.read(os.environ).env
    with exclusive(env, wait=False):
        done = secrets.encrypt(env)
    directory = secrets_dir(env).relative_to(ROOT)
    print("\n".join(f"encrypted {directory / name}" for name in done) or f"nothing to encrypt in {directory}")
    return 0


def _audit(_: argparse.Namespace) -> int:
    return audit()


def _dev(_: argparse.Namespace) -> int:
    return dev(os.environ.get("TOPOLOGY") or "compact")


def _molecule(arguments: argparse.Namespace) -> int:
    return molecule(arguments.scenario)


def _try_host(_: argparse.Namespace) -> int:
    return try_host(preflight.check({"ENV": TRY_ENV, "SUBNET": os.environ.get("SUBNET", "")}))


def _hosts(arguments: argparse.Namespace) -> int:
    settings = Settings.read(os.environ | {"ENV": arguments.env}, allow_single_member=True)
    if arguments.action == "down":
        return _remove(settings.env)
    packages = source.choose(settings)
    secrets.ensure(settings.env)
    hosts.up(settings.env, settings.hosts, settings.subnet)
    print(inventory.write(settings, packages))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ops", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run)
        return command

    add("up", _up, "build the environment ENV, or continue where the last run ended")
    add(
        "down", _down, "remove everything in ENV; on AWS after confirmation (REMOVE_SECRETS=1: passwords and keys, too)"
    )
    add("plan", _plan, "ENV=aws: show what `up` would change and which resources cost money")
    add(
        "stop",
        _stop,
        "ENV=aws: stop the cluster in order, then its instances (FORCE=1: even if a replica set is degraded)",
    )
    add("start", _start, "ENV=aws: start the instances and wait for the cluster")
    add("restart", _restart, "restart every process of ENV one after the other, while the cluster works")
    add("rotate-secrets", _rotate, "replace the secrets that WHAT names (passwords, app-keys, keyfile, all)")
    add(
        "renew-certificates",
        _renew_certificates,
        "renew the certificates of all hosts in ENV, without a restart of MongoDB",
    )
    add("status", _status, "show the state of every process in ENV").add_argument("--json", action="store_true")
    add("backup", _backup, "make a full backup now, and on local hosts fetch it")
    add("backup-fetch", _backup_fetch, "fetch the local hosts' new backups into backups/ENV, and remove old ones")
    add(
        "backup-list",
        _backup_list,
        "list the backups: of when, how large, verified when, and up to when a restore can go",
    )
    add("restore", _restore, "restore the backup BACKUP: beside what there is, then, after confirmation, in its place")
    add("restore-undo", _restore_undo, "put back what the last restore has replaced, after confirmation")
    add("restore-cleanup", _restore_cleanup, "remove what restores have left, after confirmation")
    add("backup-verify", _backup_verify, "restore BACKUP (default: the newest) into a MongoDB of its own, and compare")
    add("encrypt", _encrypt, "put ENV's plain secrets under Ansible Vault, with the password in VAULT_PASSWORD_FILE")
    add("audit", _audit, "list licences and known vulnerabilities of everything that is locked")
    add("try-host", _try_host, "build one small host, connect to it, remove it: do local hosts work on this machine?")
    add("dev", _dev, "run cluster and apps as plain processes on loopback, without root")
    part = add("molecule", _molecule, "run scenarios from molecule/")
    part.add_argument("scenario", nargs="+")
    part = add("hosts", _hosts, "only an environment's hosts, secrets and inventory, for tests of the roles")
    part.add_argument("action", choices=("up", "down"))
    part.add_argument("--env", choices=sorted(LOCAL_SUBNETS), default=os.environ.get("ENV") or "local")
    return parser


def main() -> int:
    """Returns 0 on success, 1 if something failed or is degraded, 2 if the request was refused."""
    if os.environ.get("FILM_LIBRARY_SHELL") != str(ROOT):  # not called by make
        os.execvp("sh", ["sh", str(ROOT / "bin" / "shell"), sys.executable, "-m", "ops", *sys.argv[1:]])  # noqa: S606 - our own script
    arguments = _parser().parse_args()
    try:
        return int(arguments.run(arguments))
    except SettingsError as error:
        print(refusal(error), file=sys.stderr)
        return 2
    except LockedError as error:
        print(f"Another run is using ENV={error}; wait for it or stop it.", file=sys.stderr)
        return 1
    except OpsError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
