"""`python -m app.cli`, the same as `film-library`."""

from app.cli import main

main(prog_name="film-library")
