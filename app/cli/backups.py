"""Commands that make, list and verify backups."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from app.cli.session import database
from app.db import backups
from app.db.backups import BackupError, Entry, Manifest, Store
from app.settings import SettingError, setting

PUBLIC_KEY = "FILM_LIBRARY_BACKUP_PUBLIC_KEY"


class _StoreType(click.ParamType[Store]):
    """A store of backups, by name; `originals` as for open_store."""

    name = "store"

    def __init__(self, *, originals: bool) -> None:
        self._originals = originals

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Store:
        try:
            return backups.open_store(value, originals=self._originals)
        except BackupError as error:
            self.fail(str(error), param, ctx)


# Who restores wants what was written first: what was written over it later may be an intruder's.
_store = click.argument("store", type=_StoreType(originals=True))
_backup = click.argument("backup", metavar="ID")
_key = click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file with the private key.",
)


@contextmanager
def _errors() -> Iterator[None]:
    """Errors of backups end the command with their message."""
    try:
        yield
    except (BackupError, SettingError) as error:
        raise click.ClickException(str(error)) from error


@click.command("backup")
@click.option(
    "--to",
    "store",
    metavar="STORE",
    required=True,
    type=_StoreType(originals=False),
    help="Where backups are kept: a directory or s3://bucket/prefix.",
)
@click.option("--public-key", help=f"For whom to encrypt: age1...  [default: {PUBLIC_KEY}]")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=backups.WORKERS,
    show_default=True,
    help="How many collections to read at a time.",
)
def backup(store: Store, public_key: str | None, workers: int) -> None:
    """Write a full backup of the database, as it is at one moment, into a new directory in STORE.

    It is compressed, and encrypted for a public key: what this host writes it can't read. Only a complete backup has a
    manifest. The last line of the output is its id.
    """
    with _errors():
        keys = backups.public_keys(public_key or setting(PUBLIC_KEY))
        with database():
            made = backups.take(store, keys, workers=workers, done=_say)
    click.echo(f"{made.documents:,} documents of {_when(made)} in {made.size:,} bytes")
    click.echo(made.id)


def _say(entry: Entry) -> None:
    click.echo(f"{entry.documents:>12,} {entry.name}")


@click.command("backups")
@_store
@click.option("--json", "as_json", is_flag=True, help="Output for programs.")
def list_backups(store: Store, as_json: bool) -> None:
    """List the backups in STORE, oldest first: id, moment, size, documents, and whether each is complete."""
    with _errors():
        found = list(backups.overview(store))
    if as_json:
        rows = [
            {"id": one.id, "problem": one.problem, **(_figures(one.manifest) if one.manifest else {})} for one in found
        ]
        click.echo(json.dumps(rows))
        return
    for one in found:
        if one.manifest is None:
            click.echo(f"{one.id}  NOT COMPLETE: {one.problem}")
        else:
            click.echo(
                f"{one.id}  {_when(one.manifest)}  {one.manifest.size:>15,} bytes  "
                f"{one.manifest.documents:>12,} documents  complete"
            )


def _when(manifest: Manifest) -> str:
    return f"{manifest.cluster_time.as_datetime():%Y-%m-%d %H:%M:%S} UTC"


def _figures(manifest: Manifest) -> dict[str, object]:
    return {
        "at": manifest.cluster_time.as_datetime().isoformat(),
        "database": manifest.database,
        "mongodb": manifest.mongodb,
        "bytes": manifest.size,
        "documents": manifest.documents,
        "collections": {entry.name: entry.documents for entry in manifest.collections},
    }


@click.command("verify-backup")
@_store
@_backup
@_key
def verify_backup(store: Store, backup: str, key_file: Path) -> None:
    """Decrypt the backup ID (or "latest") in STORE and check every file and checksum. Needs no database.

    The checksums prove that all is as it was written, not who wrote it: everybody may have the public key.
    """
    with _errors():
        keys = backups.private_keys(key_file)
        made = backups.verify(store, backup, keys, _say)
    click.echo(f"{made.id} is whole: {made.documents:,} documents")


@click.command("make-backup-key")
@click.argument("file", type=click.Path(path_type=Path))
def make_backup_key(file: Path) -> None:
    """Write a new private key to the new FILE, and print its public key.

    Keep FILE away from the hosts that make backups, and a copy of it somewhere else: without it, no backup can be read.
    """
    with _errors():
        public = backups.make_key(file)
    click.echo(public)


@click.command("restore")
@_store
@_backup
@_key
@click.option("--into", metavar="DATABASE", help="The database.  [default: FILM_LIBRARY_DATABASE]")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=backups.WORKERS,
    show_default=True,
    help="How many collections to load at a time.",
)
def restore(store: Store, backup: str, key_file: Path, into: str | None, workers: int) -> None:
    """Restore the backup ID (or "latest") in STORE into a database that holds nothing, and compare the two.

    Nothing is ever replaced. After an interruption the same command again completes the work. It needs a database user
    who may shard collections, such as cluster-admin. The cluster may have another number of shards than the backup's.
    """
    with _errors():
        keys = backups.private_keys(key_file)
        with database(into):
            made = backups.restore(store, backup, keys, workers=workers, done=_say)
    click.echo(f"{made.id} is restored: {made.documents:,} documents, as they were at {_when(made)}")
