"""The command line on the router's host makes backups that can be read with the key."""

from __future__ import annotations

from tests.deployed import Deployment


def test_a_backup_is_made_with_the_rights_for_it(deployment: Deployment, web: str) -> None:
    host = deployment.host(web)
    directory = host.check_output("mktemp -d")
    try:
        host.check_output("chown film-library-backup %s", directory)
        key = f"{directory}/key"
        public = host.check_output("/opt/film-library/current/bin/film-library make-backup-key %s", key)
        host.check_output("chown film-library-backup %s", key)
        backup = host.check_output("film-library backup --to %s --public-key %s | tail -1", directory, public)
        assert "complete" in host.check_output("film-library backups %s", directory)
        host.check_output("film-library verify-backup %s %s --key %s", directory, backup, key)
    finally:
        host.check_output("rm -r %s", directory)
