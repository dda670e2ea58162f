"""Computing in the background what the user app goes by."""

import click

from app.cli.session import UNCHANGED, database
from app.db import derived, learning, neighbours
from app.progress import Progress


@click.command("recommend")
@click.option("--force", is_flag=True, help="Compute even if no like has come or gone since the last time.")
def recommend(force: bool) -> None:
    """Compute which films go together, from what people like.

    Also brings what search and the pickers look things up in up to date. The user app goes by the earlier result until
    the new one is complete. Says "unchanged" when there was nothing to do. Never runs twice at once: a second leaves
    the work to the first, and says so.
    """
    with database():
        try:
            with neighbours.alone() as writer:
                looked_up = derived.refresh()
                learned = learning.learn(writer, _progress, force=force)
        except neighbours.Busy as error:
            click.echo(f"Nothing done: {error}.")
            return
    if learned is None and not looked_up:
        click.echo(UNCHANGED)
        return
    click.echo(f"words, people and values to choose from: {looked_up:,} brought up to date")
    if learned is None:
        click.echo("neighbours of films: no like has come or gone")
    else:
        click.echo(f"neighbours of films: {learned.films:,}, from {learned.likes:,} likes by {learned.users:,} people")


def _progress(label: str, expected: int) -> learning.Report:
    progress = Progress(label, expected)
    return lambda done: progress.reach(done, done)
