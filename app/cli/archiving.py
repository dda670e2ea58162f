"""The command that archives changes between full backups."""

import signal
import threading
from contextlib import suppress
from pathlib import Path

import click

from app.cli.backup_options import (
    PUBLIC_KEY,
    access,
    backup_errors,
    public_key_option,
    share_option,
    to_option,
    workers_option,
)
from app.cli.session import database
from app.db import backups
from app.db.backups import Manifest, Pace, State, Store, status
from app.settings import setting


@click.command("archive-changes")
@to_option
@public_key_option
@click.option(
    "--slice-seconds",
    type=click.FloatRange(1, 300),
    default=backups.SLICE_SECONDS,
    show_default=True,
    help="How long changes may wait until they are in STORE.",
)
@workers_option
@share_option
@click.option(
    "--status",
    "status_file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file in which to note for others how far the archived changes reach.",
)
def archive_changes(
    store: Store,
    *,
    public_key: str | None,
    slice_seconds: float,
    workers: int,
    share: int,
    status_file: Path,
) -> None:
    """Write the changes of all documents into STORE, in slices, until it is stopped (SIGTERM, Ctrl-C).

    With them, `restore --at` brings back any second since a full backup. It goes on where it was stopped or killed, if
    the servers still have what has happened since; otherwise it begins a new chain of slices, and makes a full backup.
    Only one process at a time may do this.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def backed_up(made: Manifest) -> None:
        click.echo(f"{made.id} is a full backup: {made.documents:,} documents")
        with suppress(OSError):
            status.note_backup(status_file.with_name(status.FULL), made)

    def note(state: State) -> None:
        click.echo(f"{state.chain}: changes until {state.covered_until:%Y-%m-%d %H:%M:%S} UTC")
        with suppress(OSError):  # the archive matters more
            status.write(status_file, state.as_json())

    with backup_errors(), database():
        keys = backups.public_keys(public_key or setting(PUBLIC_KEY))
        lock = status_file.with_suffix(".lock")
        pace = Pace(workers, share / 100)
        backups.archive(
            store,
            keys,
            lock,
            stop,
            slice_seconds=slice_seconds,
            pace=pace,
            access=access(),
            note=note,
            backed_up=backed_up,
        )
