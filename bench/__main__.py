"""The command line of the benchmark."""

from __future__ import annotations

import platform
import time

import click

from bench import lists, loading, pages
from bench.library import library
from bench.measure import show

SUBJECTS = ("imports", "lists", "pages")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("subjects", nargs=-1, type=click.Choice(SUBJECTS))
@click.option("--films", default=1_000_000, show_default=True, type=click.IntRange(1_000), help="Size of the library.")
@click.option("--imported", default=100_000, show_default=True, type=click.IntRange(5_000), help="Films to import.")
def main(subjects: tuple[str, ...], films: int, imported: int) -> None:
    """Measure SUBJECTS, by default all, on synthetic films; prints each figure beside its peer's.

    Peers run in the same run, on the same mongod. A missed aim is printed, and is no failure: figures differ from
    machine to machine, and what else it does.
    """
    began = time.monotonic()
    print(f"Python {platform.python_version()}, {platform.machine()}; synthetic films, one mongod")
    if not subjects or "imports" in subjects:
        show(f"Import of {imported:,} films", loading.measure(imported))
    if not subjects or "lists" in subjects:
        with library(films) as full:
            show(f"The admin app's list at {films:,} films", lists.measure(full))
    if not subjects or "pages" in subjects:
        with library(films) as full:
            show(f"The user app's pages at {films:,} films", pages.measure(full))
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
