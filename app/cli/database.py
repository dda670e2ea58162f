"""Commands for the database: indexes, the sample catalogue, status."""

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
    """Create missing or outdated validators and indexes; prints "unchanged" if there are none.

    Also builds the collections that searches use if they are missing, and releases ids that an interrupted import
    claimed.
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
@click.option("--unless-others", is_flag=True, help="Do nothing where there are other films, restored ones perhaps.")
def load_sample(source: Path | None, *, unless_others: bool) -> None:
    """Load the sample catalogue: 17,472 films with directors, writers and casts.

    Existing films and credits stay as they are, so a second run changes nothing, or completes an interrupted one.
    """
    with database():
        catalogue = sample.Sample(source or sample.find_source())
        if unless_others and sample.has_others(catalogue):
            click.echo(UNCHANGED)
            return
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
@click.option("--json", "as_json", is_flag=True, help="Output for programs.")
def show_status(as_json: bool) -> None:
    """Show the database's version, deployment and contents; exit code 1 if it doesn't answer."""
    with database():
        ping()  # answers or fails within two seconds; other commands wait for elections
        report: dict[str, Any] = status.report()
    if as_json:
        click.echo(json.dumps(report))
        return
    click.echo(f"{report['database']}: MongoDB {report['version']}, {report['deployment']}")
    for collection, count in report["documents"].items():
        click.echo(f"{count:>12,} {collection}")
    if report["missing_indexes"]:
        click.echo(f"missing indexes (film-library init-db makes them): {', '.join(report['missing_indexes'])}")
