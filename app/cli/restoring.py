"""Commands that bring backups back."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from app.cli.backup_options import (
    Moment,
    MomentType,
    backup_argument,
    backup_errors,
    key_option,
    moment_words,
    say,
    store_argument,
    when,
    workers_option,
)
from app.cli.session import database, end
from app.cli.transfer import condition
from app.db import backups
from app.db.backups import RESTORED, Store, records
from app.progress import Progress

SHOWN = 20  # records of each kind


@click.command("restore")
@store_argument
@backup_argument
@key_option
@click.option("--into", metavar="DATABASE", help="The database.  [default: FILM_LIBRARY_DATABASE]")
@click.option("--beside", is_flag=True, help="Into collections restored.*, beside those that there are.")
@click.option("--at", type=MomentType(), help='The second to restore, such as 2026-11-29T12:34:56Z, or "latest".')
@click.option("--new-library", is_flag=True, help="Refuse if there are films or accounts already.")
@workers_option
def restore(
    store: Store, backup: str, *, key_file: Path, into: str | None, beside: bool, at: Moment, **options: Any
) -> None:
    """Restore the backup ID (or "latest") in STORE into a database that holds nothing, and compare the two.

    With --at, the changes since then are applied, up to and including that second; "latest" is then the newest backup
    of before. `film-library backups` says up to which second that is possible; --at latest restores all there is.

    Nothing is ever replaced: with --beside, `film-library swap-in` does that later. After an interruption the same
    command again completes the work. It needs a database user who may shard collections, such as cluster-admin. The
    cluster may have another number of shards than the backup's.
    """
    with backup_errors():
        keys = backups.private_keys(key_file)
        prefix = RESTORED if beside else ""
        with database(into):
            found = backups.choose(store, backup, prefix, at, new_library=options["new_library"])
            loaded = _Loaded(found.documents).add
            made = backups.restore(store, found.id, keys, prefix=prefix, at=at, done=say, loaded=loaded, **options)
    if at is None:
        click.echo(f"{made.id} is restored: {made.documents:,} documents, as they were at {when(made)}")
    else:
        click.echo(f"{made.id} is restored, with all changes up to {moment_words(at)}")


@click.command("compare-access")
@store_argument
@backup_argument
def compare_access(store: Store, backup: str) -> None:
    """Show which roles and users of the database are otherwise than when the backup ID (or "latest") was made.

    A restore makes neither: the deployment does, with new passwords. The user must be one who may list users, such as
    cluster-admin.
    """
    with backup_errors(), database():
        for difference in backups.differences(backups.find(store, backup).access):
            click.echo(difference)


class _Loaded:
    """The progress of a restore; several threads tell it of theirs."""

    def __init__(self, expected: int) -> None:
        self._progress, self._documents = Progress("loading", expected), 0

    def add(self, documents: int) -> None:
        self._documents += documents
        self._progress.reach(self._documents, self._documents)


@click.command("changes")
@store_argument
@backup_argument
@key_option
@click.option("--seconds", is_flag=True, help="Second by second instead of minute by minute.")
def show_changes(store: Store, backup: str, key_file: Path, seconds: bool) -> None:
    """Show how much was changed when, since the backup ID (or "latest") in STORE, as far as it is archived.

    Where many documents are deleted at once, the damage begins: restore to the second before. Needs no database. Where
    an archived change is damaged, it shows those before, and ends with 1.
    """
    with backup_errors():
        keys = backups.private_keys(key_file)
        found, damage = backups.intact(store, backups.find(store, backup), keys)
        periods = backups.activity(found, 1 if seconds else 60)
    for begin, counts in periods.items():
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items()))
        click.echo(f"{begin:%Y-%m-%dT%H:%M:%SZ}  {kinds}")
    if damage is not None:
        raise click.ClickException(f"what follows is damaged: {damage}")


@click.command("put-back")
@store_argument
@backup_argument
@key_option
@click.option("--collection", required=True, type=click.Choice(records.RECORDS), help="The records' collection.")
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar='"FIELD OPERATOR VALUE"',
    help="Only records that meet all conditions, as for `export`.",
)
@click.option("--filter", "extended_json", default="", help="A filter of MongoDB, as Extended JSON.")
@click.option("--at", type=MomentType(), help="As they were at that second, as for `restore`.")
@click.option("--replace", is_flag=True, help="Replace records that are there with other content.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
def put_back(
    store: Store, backup: str, *, key_file: Path, collection: str, conditions: tuple[str, ...], **options: Any
) -> None:
    """Put back records of the backup ID (or "latest") in STORE: those that are missing in the database.

    Records that are there with other content are listed and stay as they are. What is derived from the records is
    updated. The exit code is 3 if there were conflicts, or records that can't be put back.
    """
    replace, dry_run, at = options["replace"], options["dry_run"], options["at"]
    outcomes = _Outcomes(dry_run=dry_run)
    with backup_errors():
        keys = backups.private_keys(key_file)
        with database():
            wanted = records.query(collection, [condition(text) for text in conditions], options["extended_json"])
            found, only = backups.choose(store, backup, RESTORED, at), records.collections(collection)
            made = backups.restore(store, found.id, keys, prefix=RESTORED, only=only, at=at)
            records.put_back(collection, wanted, replace=replace, dry_run=dry_run, report=outcomes.add)
    outcomes.end(f"of {made.id}, as they were at {when(made) if at is None else moment_words(at)}")


class _Outcomes:
    """Shows the first records of each kind, and how many there were."""

    def __init__(self, *, dry_run: bool) -> None:
        self._dry_run = dry_run
        self._counts: Counter[str] = Counter()

    def add(self, outcome: records.Outcome) -> None:
        self._counts[outcome.what] += 1
        if outcome.what != records.SAME and self._counts[outcome.what] <= SHOWN:
            detail = f": {outcome.detail}" if outcome.detail else ""
            click.echo(f"{outcome.what}: {outcome.document_id}{detail}")

    def end(self, source: str) -> None:
        """The counts, and the exit code."""
        counts = ", ".join(f"{count:,} {what}" for what, count in sorted(self._counts.items())) or "nothing found"
        click.echo(f"{'Would be: ' if self._dry_run else ''}{counts} {source}")
        end(self._counts[records.CONFLICT] + self._counts[records.REFUSED])


@click.command("swap-in")
@click.option("--dry-run", is_flag=True, help="Only count the documents, now and afterwards, as JSON.")
def swap_in(dry_run: bool) -> None:
    """Put the collections that `restore --beside` has made in the place of the live ones, which become replaced.*.

    Stop the apps first. After an interruption the same command again completes the work. Everybody is logged out.
    """
    with backup_errors(), database():
        if dry_run:
            click.echo(json.dumps(backups.planned()))
            return
        backup = backups.swap_in(done=lambda name: click.echo(f"{name} is in place"))
    click.echo(f"{backup} has taken the place of what was there, which is kept as replaced.*")


@click.command("restore-undo")
@click.option("--dry-run", is_flag=True, help="Only count the documents, now and afterwards, as JSON.")
def restore_undo(dry_run: bool) -> None:
    """Put back what the last restore has replaced. What there is now is kept as replaced.*, with all changes since.

    Stop the apps first. After an interruption the same command again completes the work. Everybody is logged out.
    """
    with backup_errors(), database():
        if dry_run:
            click.echo(json.dumps(backups.planned_undo()))
            return
        before = backups.undo(done=lambda name: click.echo(f"{name} is in place"))
    click.echo(f"{before} is back, and what was there now is kept as replaced.*")


@click.command("restore-cleanup")
@click.option("--dry-run", is_flag=True, help="Only list the collections, with their numbers of documents, as JSON.")
def restore_cleanup(dry_run: bool) -> None:
    """Remove what a restore that was given up has left: restored.*; if there is none, what was replaced: replaced.*."""
    with backup_errors(), database():
        if dry_run:
            click.echo(json.dumps(backups.leftovers()))
        else:
            backups.clean_up(done=lambda name: click.echo(f"removed {name}"))
