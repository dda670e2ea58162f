"""The database's roles and users: in a backup's manifest without passwords, and compared by a restore."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from backup_library import LIBRARY, new_key, run, succeed

from app.db import backups
from app.db.backups import Directory, manifest
from ops.local_cluster import LocalCluster

PRIVILEGE = {"resource": {"db": LIBRARY, "collection": "administrators"}, "actions": ["find"]}


def access_file(cluster: LocalCluster, directory: Path) -> Path:
    """What the role backup writes on the host."""
    file, root = directory / "access.json", {"name": "cluster-admin", "roles": [{"role": "root", "db": "admin"}]}
    users = [*cluster.database["cluster_database_users"], root]
    file.write_text(json.dumps({"roles": cluster.database["cluster_database_roles"], "users": users}))
    return file


def test_roles_and_users_are_written_down_and_compared(
    library: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without passwords, also where the file has some."""
    file = access_file(library, tmp_path)
    content = json.loads(file.read_text())
    content["users"][0]["pwd"] = "hunter2"
    file.write_text(json.dumps(content))
    monkeypatch.setenv("FILM_LIBRARY_BACKUP_ACCESS_FILE", str(file))
    backup = succeed(library, "backup", "--to", tmp_path, "--public-key", new_key(tmp_path)[1])
    text = (tmp_path / backup / manifest.NAME).read_text()
    made = backups.find(Directory(tmp_path), backup)
    assert "hunter2" not in text
    assert [user["name"] for user in made.access.users] == [user["name"] for user in content["users"]]
    assert {key for user in made.access.users for key in user} == {"name", "roles"}

    compare = ("compare-access", tmp_path, backup)
    assert run(library, *compare, user="cluster-admin").output == ""
    result = run(library, *compare)
    assert (result.exit_code, "not authorized" in result.output) == (1, True), "who makes backups may see hashes"
    with library.client() as client:
        try:
            client.admin.command("createUser", "intruder", pwd="intruder's", roles=["root"])
            client.admin.command("grantPrivilegesToRole", "filmLibraryUser", privileges=[PRIVILEGE])
            client.admin.command("dropRole", "filmLibraryMonitor")
            assert run(library, *compare, user="cluster-admin").output.splitlines() == [
                "role filmLibraryMonitor is missing",
                "role filmLibraryUser has other rights",
                "user intruder isn't in the backup",
                "user monitor has other rights",
            ]
        finally:
            client.admin.command("dropUser", "intruder")
            client.admin.command("revokePrivilegesFromRole", "filmLibraryUser", privileges=[PRIVILEGE])
            monitor = next(role for role in content["roles"] if role["name"] == "filmLibraryMonitor")
            client.admin.command("createRole", monitor["name"], privileges=monitor["privileges"], roles=[])
            client.admin.command("grantRolesToUser", "monitor", roles=[monitor["name"]])


def test_a_backup_of_an_earlier_format_says_nothing_of_them(library: LocalCluster, tmp_path: Path) -> None:
    key, public = new_key(tmp_path)
    backup = succeed(library, "backup", "--to", tmp_path, "--public-key", public)
    file = tmp_path / backup / manifest.NAME
    plain = {name: value for name, value in json.loads(file.read_text()).items() if name not in ("cluster", "access")}
    plain["format"] = 1
    del plain["checksum"]
    file.write_text(json.dumps({**plain, "checksum": manifest._checksum(plain)}))
    assert "is whole" in succeed(None, "verify-backup", tmp_path, backup, "--key", key)
    assert run(library, "compare-access", tmp_path, backup, user="cluster-admin").output == ""


def test_without_the_right_to_it_the_clusters_id_is_unknown(library: LocalCluster, tmp_path: Path) -> None:
    """Of a role from an earlier release, for example. The documents are what matters."""
    right = {"resource": {"db": "config", "collection": "version"}, "actions": ["find"]}
    public = new_key(tmp_path)[1]
    with library.client() as client:
        client.admin.command("revokePrivilegesFromRole", "filmLibraryBackup", privileges=[right])
        try:
            backup = succeed(library, "backup", "--to", tmp_path, "--public-key", public)
        finally:
            client.admin.command("grantPrivilegesToRole", "filmLibraryBackup", privileges=[right])
    assert backups.find(Directory(tmp_path), backup).cluster == ""
