"""Role `backup`: encrypted backups by a timer, which this environment's key opens and the host doesn't."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

from app.db import backups
from app.db.backups import Directory, status
from tests.deployed import Deployment, Inventory, Process
from tests.units import exposure, log, properties

STORE, STATE, UNIT = "/var/backups/film-library", "/var/lib/film-library-backup", "film-library-backup.service"
WANTED = {
    "User": "film-library-backup",
    "Result": "success",
    "Nice": "19",
    "CPUWeight": "10",
    "IOWeight": "10",
    "IOSchedulingClass": "3",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "MemoryDenyWriteExecute": "yes",
    "CapabilityBoundingSet": "",
    "MemoryMax": str(512 * 2**20),
}


def test_the_first_web_host_makes_backups(
    deployment: Deployment, inventory: Inventory, web: str, tmp_path: Path
) -> None:
    """One is started by hand, as the timer does, and opened here."""
    host = deployment.host(web)
    timer = host.service("film-library-backup.timer")
    first = web == inventory.group("web")[0]
    assert (timer.is_running, timer.is_enabled) == (first, first)
    if not first:
        return
    host.check_output("systemctl start %s", UNIT)  # waits for the end, and fails when it does
    shown = properties(host, UNIT)
    assert {name: shown[name] for name in WANTED} == WANTED, log(host, UNIT)
    assert exposure(host, UNIT) <= 2
    texts = {name: host.run("cat %s", f"{STATE}/{name}").stdout for name in status.FILES}
    made = status.parse(texts)
    assert made.failure == ""
    archive = base64.b64decode(host.check_output("tar --create --directory=%s %s | base64", STORE, made.backup))
    subprocess.run(["tar", "--extract", f"--directory={tmp_path}"], input=archive, check=True)
    keys = backups.private_keys(inventory.secrets / "backup.key")
    assert backups.verify(Directory(tmp_path), made.backup, keys).documents == made.documents > 0


def test_changes_are_archived(deployment: Deployment, inventory: Inventory) -> None:
    host = deployment.host(inventory.group("web")[0])
    unit = "film-library-changes.service"
    service = host.service(unit)
    assert (service.is_running, service.is_enabled) == (True, True), log(host, unit)
    wanted = {**WANTED, "Restart": "always"}
    shown = properties(host, unit)
    assert {name: shown[name] for name in wanted} == wanted
    assert exposure(host, unit) <= 2


def test_nobody_else_reads_backups_or_their_settings(deployment: Deployment, web: str) -> None:
    """Everybody may know how they are doing: the admin app shows it."""
    host = deployment.host(web)
    assert host.file(STORE).mode == 0o700
    for user in ("film-library-user", "film-library-admin", "nobody"):
        assert host.run("runuser -u %s -- ls %s", user, STORE).rc != 0
        assert host.run("runuser -u %s -- cat /etc/film-library/backup.env", user).rc != 0
        assert host.run("runuser -u %s -- cat %s/status.json", user, STATE).rc == 0
        assert host.run("runuser -u %s -- touch %s/verified.json", user, STATE).rc != 0


def test_a_backup_is_made_by_hand(deployment: Deployment, web: str) -> None:
    """With the settings of the unit; it can't be read here."""
    host = deployment.host(web)
    directory = host.check_output("mktemp -d")
    try:
        host.check_output("chown film-library-backup %s", directory)
        host.check_output("film-library backup --to %s", directory)
        assert "complete" in host.check_output("film-library backups %s", directory)
        key = f"{directory}/key"
        host.check_output("/opt/film-library/current/bin/film-library make-backup-key %s", key)
        host.check_output("chown film-library-backup %s", key)
        refused = host.run("film-library verify-backup %s latest --key %s", directory, key)
        assert "was encrypted for another key" in refused.stderr
    finally:
        host.check_output("rm -r %s", directory)


def test_members_keep_history_for_as_long_as_a_backup_may_take(deployment: Deployment, member: Process) -> None:
    name = "minSnapshotHistoryWindowInSeconds"
    answer = deployment.client(member, member.administrator).admin.command("getParameter", 1, **{name: 1})
    assert answer[name] == 1800
