"""Commands that bring backups back."""

import json
from pathlib import Path

import click

from app.cli.backup_options import (
    backup_argument,
    backup_errors,
    key_option,
    say,
    store_argument,
    when,
    workers_option,
)
from app.cli.session import database
from app.db import backups
from app.db.backups import RESTORED, Store
from app.progress import Progress


@click.command("restore")
@store_argument
@backup_argument
@key_option
@click.option("--into", metavar="DATABASE", help="The database.  [default: FILM_LIBRARY_DATABASE]")
@click.option("--beside", is_flag=True, help="Into collections restored.*, beside those that there are.")
@workers_option
def restore(store: Store, backup: str, *, key_file: Path, into: str | None, beside: bool, workers: int) -> None:
    """Restore the backup ID (or "latest") in STORE into a database that holds nothing, and compare the two.

    Nothing is ever replaced: with --beside, `film-library swap-in` does that later. After an interruption the same
    command again completes the work. It needs a database user who may shard collections, such as cluster-admin. The
    cluster may have another number of shards than the backup's.
    """
    with backup_errors():
        keys = backups.private_keys(key_file)
        found = backups.find(store, backup)
        progress = _Loaded(found.documents)
        with database(into):
            made = backups.restore(
                store,
                found.id,
                keys,
                prefix=RESTORED if beside else "",
                workers=workers,
                done=say,
                loaded=progress.add,
            )
    click.echo(f"{made.id} is restored: {made.documents:,} documents, as they were at {when(made)}")


class _Loaded:
    """The progress of a restore; several threads tell it of theirs."""

    def __init__(self, expected: int) -> None:
        self._progress, self._documents = Progress("loading", expected), 0

    def add(self, documents: int) -> None:
        self._documents += documents
        self._progress.reach(self._documents, self._documents)


@click.command("swap-in")
def swap_in() -> None:
    """Put the collections that `restore --beside` has made in the place of the live ones, which become replaced.*.

    Stop the apps first. After an interruption the same command again completes the work. Everybody is logged out.
    """
    with backup_errors(), database():
        backup = backups.swap_in(done=lambda name: click.echo(f"{name} is in place"))
    click.echo(f"{backup} has taken the place of what was there, which is kept as replaced.*")


@click.command("restore-cleanup")
@click.option("--dry-run", is_flag=True, help="Only list the collections, with their numbers of documents, as JSON.")
def restore_cleanup(dry_run: bool) -> None:
    """Remove what restores have left beside the live collections: restored.* and replaced.*."""
    with backup_errors(), database():
        if dry_run:
            click.echo(json.dumps(backups.leftovers()))
        else:
            backups.clean_up(done=lambda name: click.echo(f"removed {name}"))
