"""The command line `film-library`, for operators of the film library's database.

Exit codes: 0 success, 1 failure, 2 wrong usage, 3 some records were rejected, 130 interrupted.
"""

import signal
from types import FrameType
from typing import NoReturn

import click

from app.cli import accounts, archiving, backup_upkeep, backups, database, recommend, restoring, transfer


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="film-library")
def main() -> None:
    """Load and maintain the film library's database.

    The database is set by FILM_LIBRARY_MONGODB_URI (or FILM_LIBRARY_MONGODB_URI_FILE, a file that holds the URI) and
    FILM_LIBRARY_DATABASE (default: movie_library).
    """
    # SIGTERM (kill, systemd) ends a load as cleanly as Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


for command in (
    database.init_db,
    database.load_sample,
    transfer.import_files,
    transfer.export_records,
    recommend.recommend,
    accounts.create_admin,
    accounts.reset_second_factor,
    accounts.move_admins,
    backups.backup,
    archiving.archive_changes,
    backups.list_backups,
    backups.verify_backup,
    backups.make_backup_key,
    restoring.restore,
    restoring.compare_access,
    restoring.show_changes,
    restoring.put_back,
    restoring.swap_in,
    restoring.restore_cleanup,
    restoring.restore_undo,
    backup_upkeep.prune_backups,
    database.show_status,
):
    main.add_command(command)
