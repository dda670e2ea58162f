"""The database as a whole: indexes, the sample catalogue, what there is."""

import json
from pathlib import Path
from typing import Any

import click

from app.cli.session import UNCHANGED, database, end, summary
from app.db.cluster import status
from app.db.core import ping
from app.db.films import claims
from app.db.records import Settled
from app.db.schema import create_indexes, drop_replaced_indexes, install_validators
from app.db.search import derived
from app.db.transfer import sample
from app.progress import Progress


@click.command("init-db")
def init_db() -> None:
    """Make the validators and indexes that are missing or outdated; says "unchanged" when none are.

    Also makes what searches look things up in where there is nothing yet, and gives up the ids that an import claimed
    for films which never came.
    """
    with database():
        made = [f"validator {name}" for name in install_validators()]
        made += [f"index {name}" for name in create_indexes()]
        made += [f"index {name}: dropped, another one has replaced it" for name in drop_replaced_indexes()]
        if derived.missing() and (looked_up := derived.refresh()):
            made.append(f"words, people and values to choose from: {looked_up:,} made")
        swept = claims.sweep()
    for line in made:
        click.echo(line)
    if swept:
        click.echo(f"{swept:,} ids of films that never came are free again")
    if not made and not swept:
        click.echo(UNCHANGED)


@click.command("load-sample")
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
    with database():
        catalogue = sample.Sample(source or sample.find_source())
        counts, rescored = sample.load(catalogue, _progress)
    for name, count in counts.items():
        click.echo(f"{name}: {summary(count)}")
    if not rescored and not any(count.inserted for count in counts.values()):
        click.echo(UNCHANGED)
    end(sum(count.rejected for count in counts.values()))


def _progress(name: str, expected: int) -> Any:
    progress = Progress(name, expected)

    def show(settled: Settled) -> None:
        progress.reach(settled.position, settled.counts.total)

    return show


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show_status(as_json: bool) -> None:
    """Say what the database is and what it holds; exit code 1 when it doesn't answer."""
    with database():
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
