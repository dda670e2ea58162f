"""What the commands of backups share: their arguments, and what they say."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from app.db import backups
from app.db.backups import Access, BackupError, Entry, Manifest, Store
from app.settings import SettingError, setting

#: JSON with the database's roles and users, as the deployment makes them.
ACCESS = "FILM_LIBRARY_BACKUP_ACCESS"
PUBLIC_KEY = "FILM_LIBRARY_BACKUP_PUBLIC_KEY"


class StoreType(click.ParamType[Store]):
    """A store of backups, by name; `originals` as for open_store."""

    name = "store"

    def __init__(self, *, originals: bool) -> None:
        self._originals = originals

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Store:
        try:
            return backups.open_store(value, originals=self._originals)
        except BackupError as error:
            self.fail(str(error), param, ctx)


to_option = click.option(
    "--to",
    "store",
    metavar="STORE",
    required=True,
    type=StoreType(originals=False),
    help="Where backups are kept: a directory or s3://bucket/prefix.",
)
public_key_option = click.option("--public-key", help=f"For whom to encrypt: age1...  [default: {PUBLIC_KEY}]")

Moment = datetime | str | None


class MomentType(click.ParamType[datetime | str]):
    """A second in UTC, unless it has another time zone; or "latest"."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | str:
        try:
            return backups.moment(value)
        except BackupError as error:
            self.fail(str(error), param, ctx)


def moment_words(at: datetime | str) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if isinstance(at, datetime) else "the last one that is archived"


workers_option = click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=backups.WORKERS,
    show_default=True,
    help="How many collections to read or load at a time.",
)
share_option = click.option(
    "--share",
    type=click.IntRange(1, 100),
    default=100,
    show_default=True,
    help="How many percent of the time to read, so that others are served meanwhile.",
)
# Who restores wants what was written first: what was written over it later may be an intruder's.
store_argument = click.argument("store", type=StoreType(originals=True))
backup_argument = click.argument("backup", metavar="ID")
key_option = click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file with the private key.",
)


@contextmanager
def backup_errors() -> Iterator[None]:
    """Errors of backups end the command with their message."""
    try:
        yield
    except (BackupError, SettingError) as error:
        raise click.ClickException(str(error)) from error


def access() -> Access:
    """The database's roles and users that this host was told. Raises BackupError, SettingError."""
    text = setting(ACCESS, "")
    return backups.parse_access(text) if text else Access()


def say(entry: Entry) -> None:
    click.echo(f"{entry.documents:>12,} {entry.name}")


def when(manifest: Manifest) -> str:
    return f"{manifest.cluster_time.as_datetime():%Y-%m-%d %H:%M:%S} UTC"
