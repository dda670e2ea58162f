"""The command line of the benchmark."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence

import click

from bench import backups, choosing, lists, loading, pages, searching, tls
from bench.library import library
from bench.measure import show

SUBJECTS = ("imports", "tls", "lists", "search", "choosing", "pages", "backup")
CREDITS = 2  # per film
SMALLER = 10  # search is also measured in a library this many times smaller


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("subjects", nargs=-1, type=click.Choice(SUBJECTS))
@click.option("--films", default=1_000_000, show_default=True, type=click.IntRange(1_000), help="Size of the library.")
@click.option("--imported", default=100_000, show_default=True, type=click.IntRange(5_000), help="Films to import.")
def main(subjects: tuple[str, ...], films: int, imported: int) -> None:
    """Measure SUBJECTS, by default all, on synthetic films, and print each figure beside its peer's.

    Peers run on the same mongod, in the same run. A missed target is reported but isn't a failure: figures depend
    on the machine and its load.
    """
    began = time.monotonic()
    print(f"Python {platform.python_version()}, {platform.machine()}; synthetic films, one mongod")
    if not subjects or "imports" in subjects:
        show(f"Import of {imported:,} films", loading.measure(imported))
    if not subjects or "tls" in subjects:
        show("TLS, beside none, on three members", tls.measure())
    chosen = subjects or SUBJECTS
    if set(chosen) - {"imports", "tls"}:
        _measure_library(chosen, films)
    print(f"\n{time.monotonic() - began:.0f} s")


def _measure_library(subjects: Sequence[str], films: int) -> None:
    """Measure these in one library: loading it takes minutes."""
    smaller: searching.Times = {}
    if "search" in subjects:
        with library(films // SMALLER, films // SMALLER * CREDITS) as small:
            smaller = searching.times(small)
    with library(films, films * CREDITS) as full:
        if "lists" in subjects:
            show(f"The admin app's list at {films:,} films", lists.measure(full))
        if "search" in subjects:
            show(f"Search at {films:,} films and {full.credits:,} credits", searching.measure(full, smaller))
        if "choosing" in subjects:
            show(f"Choosing among {films:,} films", choosing.measure(full))
        if "pages" in subjects:
            show(f"The user app's pages at {films:,} films", pages.measure(full))
        if "backup" in subjects:
            show(f"Backups of {films:,} films and {full.credits:,} credits", backups.measure(full))


if __name__ == "__main__":
    main()
