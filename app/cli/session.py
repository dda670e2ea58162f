"""Shared by all commands: connecting to the database, and turning errors into a clear message."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import click

from app.db.cluster import status
from app.db.core import COLLECTIONS, DatabaseConfig, DatabaseError, DatabaseUnavailable, connect
from app.db.records import Counts, LoadStopped
from app.settings import SettingError

FAILED, REJECTED, INTERRUPTED = 1, 3, 130
OF_SAMPLE = ("movies", "credits")  # all that the deployment's database user may count
UNCHANGED = "unchanged"  # the last line if nothing changed; the deployment looks for it


@contextmanager
def database(name: str | None = None) -> Iterator[None]:
    """Connect for the command, to the configured database or a named one; errors end it with a clear message."""
    try:
        config = DatabaseConfig.from_env(application="film-library-cli")
        connect(replace(config, database=name or config.database))
        yield
    except SettingError as error:
        raise click.ClickException(str(error)) from error
    except DatabaseUnavailable as error:
        raise click.ClickException(f"the database doesn't answer: {error}") from error
    except LoadStopped as error:
        raise stopped(error, "run the same command again to complete it.", OF_SAMPLE) from error
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt as error:
        click.echo("Interrupted; the same command again completes the work.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from error


def stopped(error: LoadStopped, advice: str, counted: Iterable[str] = COLLECTIONS) -> click.exceptions.Exit:
    """Report what an interrupted load has done, what the `counted` collections hold and how to continue.

    Returns the exception that ends the command.
    """
    click.echo(f"Stopped: {error}. Until then {summary(error.counts)}.", err=True)
    try:
        counts = ", ".join(f"{count:,} {name}" for name, count in status.count_documents(counted).items() if count)
        click.echo(f"The database now holds {counts or 'nothing'}.", err=True)
    except DatabaseError as unavailable:
        click.echo(f"What the database holds can't be asked now: {unavailable}.", err=True)
    click.echo(f"What is in stays, what is missing is added: {advice}", err=True)
    return click.exceptions.Exit(INTERRUPTED if isinstance(error.__cause__, KeyboardInterrupt) else FAILED)


def summary(counts: Counts) -> str:
    """A load's result in words."""
    return f"{counts.inserted:,} inserted, {counts.existing:,} already there, {counts.rejected:,} rejected"


def end(rejected: int) -> None:
    """End the command, with exit code REJECTED if records were rejected."""
    if rejected:
        raise click.exceptions.Exit(REJECTED)
