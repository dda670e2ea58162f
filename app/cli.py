"""The command line `film-library`: what an operator does to the database of the film library.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done but for records that were rejected, 130 interrupted.
"""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Any, NoReturn

import click

from app.db import bulk, imports, sample, schema, status, users
from app.db.connection import DatabaseConfig, connect, ping
from app.db.errors import DatabaseError, DatabaseUnavailable, ValidationFailed
from app.db.models import SUPERADMIN
from app.progress import Progress
from app.settings import SettingError

REJECTED, INTERRUPTED = 3, 130
SHOWN_REJECTS = 20  # on the terminal; all of them are counted

UNCHANGED = "unchanged"  # the last line when there was nothing to do, which the deployment looks for


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="film-library")
def main() -> None:
    """Load and look after the film library's database.

    The database is named by FILM_LIBRARY_MONGODB_URI (or FILM_LIBRARY_MONGODB_URI_FILE, a file that holds the URI) and
    FILM_LIBRARY_DATABASE (default: movie_library).
    """
    # An operator's kill, or systemd's stop, ends a load as cleanly as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def _database() -> Iterator[None]:
    """Connected; what goes wrong ends the command with one clear sentence."""
    try:
        connect(DatabaseConfig.from_env(application="film-library-cli"))
        yield
    except SettingError as error:
        raise click.ClickException(str(error)) from error
    except DatabaseUnavailable as error:
        raise click.ClickException(f"the database doesn't answer: {error}") from error
    except bulk.LoadStopped as error:
        _say_what_is_in(error)
        raise click.exceptions.Exit(INTERRUPTED if isinstance(error.__cause__, KeyboardInterrupt) else 1) from error
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt as error:
        click.echo("Interrupted; the same command again completes the work.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from error


def _say_what_is_in(error: bulk.LoadStopped) -> None:
    click.echo(f"Stopped: {error}. Until then {_summary(error.counts)}.", err=True)
    try:
        counts = ", ".join(f"{count:,} {name}" for name, count in status.count_documents().items() if count)
        click.echo(f"The database now holds {counts or 'nothing'}.", err=True)
    except DatabaseError as unavailable:
        click.echo(f"What the database holds can't be asked now: {unavailable}.", err=True)
    click.echo("Run the same command again to complete it: what is in stays, what is missing is added.", err=True)


def _summary(counts: bulk.Counts) -> str:
    return f"{counts.inserted:,} inserted, {counts.existing:,} already there, {counts.rejected:,} rejected"


@main.command("init-db")
def init_db() -> None:
    """Make the indexes that are missing; says "unchanged" when none are."""
    with _database():
        made = schema.create_indexes()
    for name in made:
        click.echo(f"index {name}")
    if not made:
        click.echo(UNCHANGED)


@main.command("load-sample")
@click.option(
    "--source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The wheel of bokeh-sampledata, or the movies.db in it.  [default: of the installed package]",
)
def load_sample(source: Path | None) -> None:
    """Load the sample catalogue: 17,472 films with directors, writers and casts.

    Films and credits that are there already stay as they are, so a second run changes nothing, and completes a first
    one that was interrupted.
    """
    with _database():
        catalogue = sample.Sample(source or sample.find_source())
        counts, rescored = sample.load(catalogue, lambda name, expected: Progress(name, expected).advance)
    for name, count in counts.items():
        click.echo(f"{name}: {_summary(count)}")
    if not rescored and not any(count.inserted for count in counts.values()):
        click.echo(UNCHANGED)
    _end(sum(count.rejected for count in counts.values()))


@main.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--collection",
    type=click.Choice(imports.IMPORTABLE),
    help="What the files hold.  [default: seen from the fields of the first record]",
)
def import_files(files: tuple[Path, ...], collection: str | None) -> None:
    """Load films, credits or interactions from JSON arrays, JSON lines or CSV files (UTF-8).

    Kaggle's titles.csv and credits.csv can be given as they are, films before credits. Records that are there already
    stay as they are; one that isn't taken is reported with file, line, field and reason, and the exit code is then 3.
    """
    rejected = 0
    with _database():
        for path in files:
            report = _RejectReport(path)
            progress = Progress(path.name, imports.count_records(path))
            name, counts = imports.import_file(path, collection, on_progress=progress.advance, on_reject=report.add)
            report.end()
            click.echo(f"{path}: {name}: {_summary(counts)}")
            rejected += counts.rejected
    _end(rejected)


class _RejectReport:
    """Shows the first reasons, and how many more there were."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0

    def add(self, reject: bulk.Reject) -> None:
        self._seen += 1
        if self._seen <= SHOWN_REJECTS:
            value = "" if reject.value in (None, "") else f" (was {reject.value!r:.60})"
            field = f"{reject.field} " if reject.field else ""
            click.echo(f"{self._path}:{reject.line}: {field}{reject.reason}{value}", err=True)

    def end(self) -> None:
        if self._seen > SHOWN_REJECTS:
            click.echo(f"{self._path}: ... and {self._seen - SHOWN_REJECTS:,} more reasons", err=True)


def _end(rejected: int) -> None:
    if rejected:
        raise click.exceptions.Exit(REJECTED)


@main.command("create-admin")
@click.argument("name")
@click.option("--superadmin", is_flag=True, help="Also may bulk-delete, and make other admins.")
@click.option(
    "--password-file",
    type=click.File("r", encoding="utf-8"),
    help="Read the password from this file's first line, or from standard input for -.  [default: ask on the terminal]",
)
def create_admin(name: str, superadmin: bool, password_file: IO[str] | None) -> None:
    """Make sure that there is an administrator called NAME.

    An account that exists keeps its password unless a password file is given, and is never lowered in rank. Says
    "unchanged" when there was nothing to do.
    """
    with _database():
        try:
            password = password_file.readline().rstrip("\r\n") if password_file else None
            if password is None and sys.stdin.isatty() and not users.exists(name):
                password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
            user, done = users.create_admin(name, password, superadmin=superadmin)
        except ValidationFailed as error:
            raise click.ClickException(" ".join(error.errors.values())) from error
        except UnicodeDecodeError as error:
            raise click.ClickException(f"the password file is not UTF-8: {error.reason}") from error
    rank = "superadmin" if user["admin_status"] == SUPERADMIN else "admin"
    click.echo(UNCHANGED if done == "unchanged" else f"{rank} {user['username']} {done}")


@main.command("status")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show_status(as_json: bool) -> None:
    """Say what the database is and what it holds; exit code 1 when it doesn't answer."""
    with _database():
        ping()  # answers or fails in two seconds, where other commands wait for an election to end
        report: dict[str, Any] = status.report()
    if as_json:
        click.echo(json.dumps(report))
        return
    click.echo(f"{report['database']}: MongoDB {report['version']}, {report['deployment']}")
    for collection, count in report["documents"].items():
        click.echo(f"{count:>12,} {collection}")
    if report["missing_indexes"]:
        click.echo(f"missing indexes (film-library init-db makes them): {', '.join(report['missing_indexes'])}")


if __name__ == "__main__":
    main()
