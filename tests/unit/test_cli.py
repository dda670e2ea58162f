"""The command line without a database."""

import io
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli import main
from app.progress import Progress

COMMANDS = [
    "init-db",
    "load-sample",
    "import",
    "export",
    "recommend",
    "create-admin",
    "reset-second-factor",
    "move-admins",
    "status",
]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name in ("FILM_LIBRARY_MONGODB_URI", "FILM_LIBRARY_MONGODB_URI_FILE", "FILM_LIBRARY_DATABASE"):
        monkeypatch.delenv(name, raising=False)
    return CliRunner()


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_every_command_explains_itself(run: CliRunner, command: str | None) -> None:
    result = run.invoke(main, [command, "--help"] if command else ["--help"])
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")
    if command is None:
        assert all(f"\n  {name} " in result.output for name in COMMANDS)


def test_a_missing_setting_is_named(run: CliRunner) -> None:
    result = run.invoke(main, ["status"])
    assert result.exit_code == 1
    assert result.output == (
        "Error: FILM_LIBRARY_MONGODB_URI is not set (nor FILM_LIBRARY_MONGODB_URI_FILE, a file that holds it)\n"
    )


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("localhost:27017", "is not a MongoDB URI"),
        ("mongodb://localhost/admin", "names database admin, FILM_LIBRARY_DATABASE movie_library"),
    ],
)
def test_a_wrong_uri_is_explained(run: CliRunner, uri: str, message: str) -> None:
    result = run.invoke(main, ["status"], env={"FILM_LIBRARY_MONGODB_URI": uri})
    assert result.exit_code == 1
    assert message in result.output


def test_the_uri_may_be_in_a_file(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "uri").write_text("nonsense\n")
    result = run.invoke(main, ["status"], env={"FILM_LIBRARY_MONGODB_URI_FILE": str(tmp_path / "uri")})
    assert "is not a MongoDB URI" in result.output
    result = run.invoke(main, ["status"], env={"FILM_LIBRARY_MONGODB_URI_FILE": str(tmp_path / "none")})
    assert "can't be read" in result.output


def test_a_source_that_is_not_the_catalogue_is_refused(run: CliRunner, tmp_path: Path) -> None:
    source = tmp_path / "movies.db"
    source.write_text("not sqlite")
    result = run.invoke(
        main, ["load-sample", "--source", str(source)], env={"FILM_LIBRARY_MONGODB_URI": "mongodb://localhost:9"}
    )
    assert result.exit_code == 1
    assert f"{source} is not the sample catalogue" in result.output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_redraws_one_line_and_ends_it() -> None:
    stream = Terminal()
    progress = Progress("credits.csv", 9_000, stream)
    progress.reach(9_000, 200)
    assert stream.getvalue().startswith("\r")
    assert stream.getvalue().endswith("\n")
    assert "100%  200 done" in stream.getvalue()


def test_progress_elsewhere_is_quiet_until_there_is_news() -> None:
    stream = io.StringIO()
    progress = Progress("credits", 1000, stream)
    for done in range(0, 100, 10):
        progress.reach(done, done)
    assert stream.getvalue() == ""


def test_progress_tells_rate_and_time_left() -> None:
    progress = Progress("credits.csv", 8_000, io.StringIO())
    assert progress.text(2_000, 250, elapsed=5.0) == "credits.csv   25%  250 done  50/s  15 s left"


def test_progress_of_nothing_is_complete() -> None:
    assert "100%" in Progress("movies", 0, io.StringIO()).text(0, 0, elapsed=1.0)
