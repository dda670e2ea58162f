"""Administrators' accounts."""

import sys
from typing import IO

import click

from app.cli.session import UNCHANGED, database
from app.db.accounts import administrators, second_factor
from app.db.core import SUPERADMIN, ValidationFailed


@click.command("create-admin")
@click.argument("name")
@click.option("--superadmin", is_flag=True, help="May also delete in bulk and create other admins.")
@click.option("--keep-password", is_flag=True, help="The password needn't be changed at first use.")
@click.option(
    "--password-file",
    type=click.File("r", encoding="utf-8"),
    help="Read the password from this file's first line, or from standard input for -.  [default: ask on the terminal]",
)
def create_admin(name: str, superadmin: bool, keep_password: bool, password_file: IO[str] | None) -> None:
    """Ensure that an administrator NAME exists.

    An existing account keeps its password unless a password file is given, and is never demoted. A new password must
    be changed at first use, and a superadmin must set up a second factor then. Prints "unchanged" if there was nothing
    to do.
    """
    with database():
        try:
            password = password_file.readline().rstrip("\r\n") if password_file else None
            if password is None and sys.stdin.isatty() and not administrators.exists(name):
                password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
            admin, done = administrators.ensure(name, password, superadmin=superadmin, expired=not keep_password)
        except ValidationFailed as error:
            raise click.ClickException(" ".join(error.errors.values())) from error
        except UnicodeDecodeError as error:
            raise click.ClickException(f"the password file is not UTF-8: {error.reason}") from error
    rank = "superadmin" if admin["admin_status"] == SUPERADMIN else "admin"
    click.echo(UNCHANGED if done == "unchanged" else f"{rank} {admin['username']} {done}")


@click.command("reset-second-factor")
@click.argument("name")
def reset_second_factor(name: str) -> None:
    """Forget the second factor of the administrator NAME, who has lost it, and end all sessions of the account.

    A superadmin must set up another one after the next log-in. Prints "unchanged" if there was none.
    """
    with database():
        done = second_factor.reset(name)
    click.echo(f"{name.strip().lower()} has no second factor any more" if done else UNCHANGED)


@click.command("move-admins")
@click.option("--finish", is_flag=True, help="Remove the originals, once the apps run a release that needs the copies.")
def move_admins(finish: bool) -> None:
    """Move administrators from the collection of users, where earlier releases kept them, into one of their own.

    The deployment runs this after init-db, and with --finish when the apps have been switched over. Sessions go on.
    Prints "unchanged" if there was nothing to do.
    """
    with database():
        moved = administrators.remove_from_users() if finish else administrators.copy_from_users()
    what = "removed from the users" if finish else "copied into a collection of their own"
    click.echo(f"administrators {what}: {moved}" if moved else UNCHANGED)
