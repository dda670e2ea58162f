"""The command that removes backups which nobody needs any more."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from app.db.backups import BackupError, Directory, retention


@click.command("prune-backups")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--fetched",
    metavar="ID",
    multiple=True,
    help="A backup that is elsewhere, too, or a slice and those before it: changes-.../00000123. May be repeated.",
)
@click.option("--most-mb", type=click.IntRange(0), help="How large all backups together may be.  [default: no limit]")
def prune_backups(directory: Path, fetched: tuple[str, ...], most_mb: int | None) -> None:
    """Remove backups in DIRECTORY, where they wait to be fetched.

    Those that were fetched go, but the last two; then, if all together are larger than allowed, the oldest. Unfinished
    ones stay for a day, and the last good one for good.
    """
    most_bytes = None if most_mb is None else most_mb * 10**6
    slices = dict(name.split("/", 1) for name in fetched if "/" in name)
    rule = partial(retention.relay, fetched=fetched, most_bytes=most_bytes)
    try:
        last = {chain: int(number) for chain, number in slices.items()}
        removed = retention.prune(Directory(directory), rule, datetime.now(UTC))
        count = retention.prune_fetched_changes(Directory(directory), last, most_bytes)
    except (BackupError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for backup in removed:
        click.echo(f"removed {backup}")
    if count:
        click.echo(f"removed {count} slices of changes")
