"""The command that computes recommendations in the background."""

import os
import sys

import click

from app.cli.session import UNCHANGED, database
from app.db.core import DatabaseError
from app.db.likes import learning, neighbour_lists, stray_likes
from app.db.search import derived
from app.progress import Progress


@click.command("recommend")
@click.option("--force", is_flag=True, help="Compute even if likes and genres are unchanged.")
def recommend(force: bool) -> None:
    """Compute which films go together, from what people like.

    Also updates the collections that search and pickers use, and removes likes of deleted films and accounts. The user
    app uses the previous result until the new one is complete. Prints "unchanged" if there was nothing to do. Never
    runs twice at once: a second run exits with code 75 ("try again"). If the first has died, its lease blocks others
    for up to an hour.
    """
    done: list[str] = []
    failed: DatabaseError | None = None
    busy = False
    with database():
        try:
            with neighbour_lists.alone() as writer:
                failed = _look_up(done)  # neighbours don't need it
                if swept := stray_likes.sweep(writer.renew):
                    done.append(f"likes of films and accounts that are no more: {swept:,} removed")
                learned = learning.learn(writer, _progress, force=force)
                done += _told(learned) if learned or done else []
        except neighbour_lists.Busy as error:
            busy = True
            done.append(f"{'The rest is not done' if done else 'Nothing done'}: {error}.")
    for line in done or [UNCHANGED] * (failed is None):
        click.echo(line)
    if failed is not None:
        raise click.ClickException(f"words, people and values to choose from aren't up to date: {failed}")
    if busy:
        sys.exit(os.EX_TEMPFAIL)


def _look_up(done: list[str]) -> DatabaseError | None:
    """Update the derived collections and add to `done` if anything changed; returns the error, if any."""
    try:
        if changed := derived.refresh():
            done.append(f"words, people and values to choose from: {changed:,} brought up to date")
    except DatabaseError as error:
        return error
    return None


def _told(learned: learning.Learned | None) -> list[str]:
    if learned is None:
        return ["neighbours of films: likes and genres are what they were"]
    return [f"neighbours of films: {learned.films:,}, from {learned.likes:,} likes by {learned.users:,} people"]


def _progress(label: str, expected: int) -> learning.Report:
    progress = Progress(label, expected)
    return lambda done: progress.reach(done, done)
