"""Commands that import and export files."""

import itertools
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from app.cli.session import database, end, stopped, summary
from app.db.core import COLLECTIONS, OPERATORS, Condition
from app.db.records import Counts, LoadStopped, Reject, Settled
from app.db.transfer import FileUnreadable, RejectsFiles, exports, imports, reject_files
from app.progress import Progress

SHOWN_REJECTS = 20  # on the terminal; all of them are in the rejects file


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--collection",
    type=click.Choice(imports.IMPORTABLE),
    help="The files' collection.  [default: guessed from the first records' fields]",
)
@click.option("--strict", is_flag=True, help="Stop at the first rejected record.")
@click.option("--skip", type=click.IntRange(0), default=0, help="Skip the first records of the first file.")
@click.option(
    "--rejects",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The directory for rejects files.  [default: the file's]",
)
def import_files(
    files: tuple[Path, ...], collection: str | None, strict: bool, skip: int, rejects: Path | None
) -> None:
    """Import films, credits or likes from JSON arrays, JSON lines or CSV files (UTF-8), optionally gzipped.

    Kaggle's titles.csv and credits.csv work as they are, films before credits. Existing records stay unchanged.
    Rejected ones are reported with file, line, field and reason and written to a rejects file, which can be corrected
    and imported; the exit code is then 3.
    """
    rejected = 0
    with database():
        for number, path in enumerate(files):
            try:
                rejected += _import_file(path, collection, strict, 0 if number else skip, rejects).rejected
            except LoadStopped as error:
                raise stopped(error, _advice(error, files[number:])) from error
    end(rejected)


def _import_file(path: Path, collection: str | None, strict: bool, skip: int, directory: Path | None) -> Counts:
    progress = Progress(path.name, path.stat().st_size if path.exists() else 0)
    report = _RejectReport(path)
    with _rejects_files(path, directory) as rejects:
        name, counts = imports.import_file(
            path,
            collection,
            begin=Settled(documents=skip),
            strict=strict,
            rejects=rejects,
            on_progress=lambda settled: progress.reach(settled.position, settled.documents - skip),
            on_reject=report.add,
        )
        report.end()
        click.echo(f"{path}: {name}: {summary(counts)}")
    return counts


def _advice(error: LoadStopped, files: Sequence[Path]) -> str:
    rest, settled = shlex.join(map(str, files)), error.settled.documents
    first = "correct the file first; then " if isinstance(error.__cause__, FileUnreadable) else ""
    if not settled:  # nothing to skip
        return f"{first}go on with the same options and {rest}"
    return f"{first}go on with the same options and --skip {settled} {rest}; without --skip all is looked at again."


class _RejectReport:
    """Shows the first reasons, and the number of further ones."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0

    def add(self, reject: Reject) -> None:
        self._seen += 1
        if self._seen <= SHOWN_REJECTS:
            value = f" (was {reject.value!r:.60})" if reject_files.shown(reject.value) else ""
            field = f"{reject.field} " if reject.field else ""
            click.echo(f"{self._path}:{reject.line}: {field}{reject.reason}{value}", err=True)

    def end(self) -> None:
        if self._seen > SHOWN_REJECTS:
            click.echo(f"{self._path}: ... and {self._seen - SHOWN_REJECTS:,} more reasons", err=True)


@contextmanager
def _rejects_files(path: Path, directory: Path | None) -> Iterator[RejectsFiles]:
    """Rejects files with unused names: an earlier one may be half corrected."""
    name = f"{Path(path.name.removesuffix('.gz')).stem}.rejects"
    places = ((directory or path.parent) / f"{name}{number}" for number in itertools.chain([""], itertools.count(2)))
    base = next(
        place for place in places if not any(Path(f"{place}{suffix}").exists() for suffix in reject_files.SUFFIXES)
    )

    def open_file(suffix: str) -> TextIO:
        try:
            return open(f"{base}{suffix}", "x", encoding="utf-8", errors="surrogateescape", newline="")
        except OSError as error:
            click.echo(f"{base}{suffix} can't be written ({error.strerror}); name a directory with --rejects", err=True)
            return open(os.devnull, "w", encoding="utf-8", errors="surrogateescape")

    rejects = RejectsFiles(open_file)
    try:
        yield rejects
    finally:
        rejects.close()
        if rejects.files:
            records, reasons = (file.name for file in rejects.files)
            click.echo(f"Rejected records are in {records}, the reasons in {reasons}", err=True)


@click.command("export")
@click.argument("collection", type=click.Choice(list(COLLECTIONS)))
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar='"FIELD OPERATOR VALUE"',
    help=f"Only records that meet all conditions; operators: {', '.join(OPERATORS)}.",
)
@click.option("--format", "form", type=click.Choice(list(exports.MEDIA_TYPES)), help="[default: jsonl, or as OUTPUT]")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file.  [default: standard output]"
)
def export_records(collection: str, conditions: tuple[str, ...], form: str | None, output: Path | None) -> None:
    """Write the records of COLLECTION by id, as JSON lines or CSV.

    The file can be imported again. Text that a spreadsheet would run as a formula gets a single quote in front, which
    an import removes. OUTPUT is only created or replaced when complete.
    """
    form = form or ("csv" if output and output.suffix.lower() == ".csv" else "jsonl")
    with database(), _complete_file(output) as file:
        for piece in exports.export(collection, [condition(text) for text in conditions], form=form):
            file.write(piece)


def condition(text: str) -> Condition:
    """A condition as it is written on the command line. Raises click.UsageError."""
    parts = text.split(None, 2)
    if len(parts) != 3:
        raise click.UsageError(f"--where {text!r}: write a field, an operator and a value, such as 'runtime gt 120'")
    return Condition(*parts)


@contextmanager
def _complete_file(path: Path | None) -> Iterator[TextIO]:
    """A file that gets its name when it is complete; without a name, standard output."""
    if path is None:
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]  # a TextIOWrapper
        yield sys.stdout
        return
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
