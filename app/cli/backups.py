"""Commands that make, list and verify backups."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from app.cli.backup_options import (
    PUBLIC_KEY,
    access,
    backup_argument,
    backup_errors,
    key_option,
    public_key_option,
    say,
    share_option,
    store_argument,
    to_option,
    when,
    workers_option,
)
from app.cli.session import database
from app.db import backups
from app.db.backups import Manifest, Pace, Store, status
from app.settings import setting


@click.command("backup")
@to_option
@public_key_option
@workers_option
@share_option
@click.option(
    "--status",
    "status_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file in which to note the result for others.",
)
def backup(store: Store, public_key: str | None, workers: int, share: int, status_file: Path | None) -> None:
    """Write a full backup of the database, as it is at one moment, into a new directory in STORE.

    It is compressed, and encrypted for a public key: what this host writes it can't read. Only a complete backup has a
    manifest. The last line of the output is its id.
    """
    with _noting(status_file), backup_errors():
        keys = backups.public_keys(public_key or setting(PUBLIC_KEY))
        with database():
            made = backups.take(store, keys, pace=Pace(workers, share / 100), access=access(), done=say)
        if status_file is not None:
            status.note_backup(status_file, made)
    click.echo(f"{made.documents:,} documents of {when(made)} in {made.size:,} bytes")
    click.echo(made.id)


@contextmanager
def _noting(status_file: Path | None) -> Iterator[None]:
    """A failure is noted in the file, if there is one."""
    try:
        yield
    except click.ClickException as error:
        if status_file is not None:
            status.note_failure(status_file, error.message)
        raise


@click.command("backups")
@store_argument
@click.option("--json", "as_json", is_flag=True, help="Output for programs.")
def list_backups(store: Store, as_json: bool) -> None:
    """List the backups in STORE, oldest first: id, moment, size, documents, and whether each is complete.

    Where changes are archived, it says up to which second each can be restored.
    """
    with backup_errors():
        found = list(backups.overview(store))
        until = backups.restorable(store, (one.manifest for one in found if one.manifest))
    if as_json:
        rows = [
            {"id": one.id, "problem": one.problem, **(_figures(one.manifest, until) if one.manifest else {})}
            for one in found
        ]
        click.echo(json.dumps(rows))
        return
    for one in found:
        if one.manifest is None:
            click.echo(f"{one.id}  NOT COMPLETE: {one.problem}")
        else:
            click.echo(
                f"{one.id}  {when(one.manifest)}  {one.manifest.size:>15,} bytes  "
                f"{one.manifest.documents:>12,} documents  complete{_reach(one.manifest, until)}"
            )


def _reach(manifest: Manifest, until: Mapping[str, datetime]) -> str:
    last = until[manifest.id]
    return f", to {last:%Y-%m-%d %H:%M:%S} UTC" if last > manifest.cluster_time.as_datetime() else ""


def _figures(manifest: Manifest, until: Mapping[str, datetime]) -> dict[str, object]:
    return {
        "at": manifest.cluster_time.as_datetime().isoformat(),
        "restorable_until": until[manifest.id].isoformat(),
        "database": manifest.database,
        "mongodb": manifest.mongodb,
        "cluster": manifest.cluster,
        "bytes": manifest.size,
        "documents": manifest.documents,
        "collections": {entry.name: entry.documents for entry in manifest.collections},
    }


@click.command("verify-backup")
@store_argument
@backup_argument
@key_option
def verify_backup(store: Store, backup: str, key_file: Path) -> None:
    """Decrypt the backup ID (or "latest") in STORE and check every file and checksum. Needs no database.

    The changes that are archived since then are checked, too.

    The checksums prove that all is as it was written, not who wrote it: everybody may have the public key.
    """
    with backup_errors():
        keys = backups.private_keys(key_file)
        made = backups.verify(store, backup, keys, say)
        until = backups.verify_changes(store, made, keys)
    changes = f", and all changes until {until:%Y-%m-%d %H:%M:%S} UTC" if until else ""
    click.echo(f"{made.id} is whole: {made.documents:,} documents{changes}")


@click.command("make-backup-key")
@click.argument("file", type=click.Path(path_type=Path))
def make_backup_key(file: Path) -> None:
    """Write a new private key to the new FILE, and print its public key.

    Keep FILE away from the hosts that make backups, and a copy of it somewhere else: without it, no backup can be read.
    """
    with backup_errors():
        public = backups.make_key(file)
    click.echo(public)
