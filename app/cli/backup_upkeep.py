"""The command that removes backups which nobody needs any more."""

from datetime import UTC, datetime
from pathlib import Path

import click

from app.db.backups import BackupError, Directory, retention

MB = 10**6
NOT_FETCHED = ", perhaps before anybody had fetched it"


@click.command("prune-backups")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--fetched",
    metavar="ID",
    multiple=True,
    help="A backup that is elsewhere, too, or a slice and those before it: changes-.../00000123. May be repeated.",
)
@click.option(
    "--most-mb", type=click.IntRange(0), help="How large all backups and slices together may be.  [default: no limit]"
)
def prune_backups(directory: Path, fetched: tuple[str, ...], most_mb: int | None) -> None:
    """Remove backups in DIRECTORY, where they wait to be fetched.

    What was fetched goes, but the last two backups; then, if all together is larger than allowed, the oldest backups,
    and after them slices. Unfinished backups stay for a day, the last good one for good.
    """
    most_bytes = None if most_mb is None else most_mb * MB
    slices = dict(name.split("/", 1) for name in fetched if "/" in name)
    try:
        last = {chain: int(number) for chain, number in slices.items()}
        removed = retention.prune_relay(
            Directory(directory), datetime.now(UTC), fetched=fetched, slices=last, most_bytes=most_bytes
        )
    except (BackupError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    for backup in removed.backups:
        click.echo(f"removed {backup}{'' if backup in fetched else NOT_FETCHED}")
    if removed.slices:
        click.echo(f"removed {removed.slices} slices of changes")
    if removed.unfetched_slices:
        click.echo(f"removed {removed.unfetched_slices} slices of changes{NOT_FETCHED}")
