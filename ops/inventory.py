"""The inventory that the controller writes: build/<env>/inventory.yml.

For local hosts it is complete. On EC2 it complements ansible/inventories/aws with what EC2 doesn't know.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

import yaml

from ops import ssh
from ops.paths import build_dir, secrets_dir
from ops.settings import Settings
from ops.source import PackageSource
from ops.topology import Host

_USER_HOST, _ADMIN_HOST = "cluster_user_host", "cluster_admin_host"


def path_of(env: str) -> Path:
    """The inventory's path."""
    return build_dir(env) / "inventory.yml"


def names(env: str) -> tuple[str, str]:
    """The host names that the user app and the admin app got in the last run, "" without one."""
    written = variables(env)
    return written.get(_USER_HOST, ""), written.get(_ADMIN_HOST, "")


def variables(env: str) -> dict[str, Any]:
    """The variables of all hosts, as the last run wrote them."""
    return dict(yaml.safe_load(path_of(env).read_text())["all"]["vars"]) if path_of(env).exists() else {}


def write(settings: Settings, source: PackageSource) -> Path:
    """Writes the inventory of local hosts and returns its path."""
    return _write(settings.env, inventory(settings, source))


def write_single(settings: Settings, host: Host) -> Path:
    """Writes an inventory of one host on which nothing will be installed, and returns its path."""
    hosts = {host.name: {"ansible_host": host.address}}
    return _write(settings.env, {"all": {"hosts": hosts, "vars": _connection(settings.env)}})


def write_common(
    settings: Settings, source: PackageSource, *, admins: list[str], public: list[str], backups: str, region: str
) -> Path:
    """Writes the variables that all EC2 hosts share, and returns the file's path.

    `admins` and `public` are the networks that reach the hosts as administrators, and the user app. `backups` is
    their store in S3, in the bucket's `region`.
    """
    # Ansible fills in the alias: the id of the instance that currently has the name.
    options = shlex.join(ssh.known_as("ALIAS")).replace("ALIAS", "{{ instance_id }}")
    connection = _connection(settings.env)
    connection["ansible_ssh_common_args"] += f" {options}"
    del connection["ansible_user"]
    variables = connection | source.variables() | _networks(admins, public) | _names(settings)
    variables |= {"cluster_backup_store": backups, "cluster_backup_region": region}
    return _write(settings.env, {"all": {"vars": variables}})


def _write(env: str, content: dict[str, Any]) -> Path:
    path = path_of(env)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "# Written by ops/inventory.py on every run; your changes will be lost.\n"
    text += yaml.safe_dump(content, sort_keys=False)
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)
    return path


def inventory(settings: Settings, source: PackageSource) -> dict[str, Any]:
    """`all` has each host's address and the variables; the groups say what each host is."""
    gateway = f"{settings.subnet.network_address + 1}/32"
    groups: dict[str, Any] = {}
    for host in settings.hosts:
        for group in host.groups:
            groups.setdefault(group, {"hosts": {}})["hosts"][host.name] = None
    return {
        "all": {
            "hosts": {
                host.name: {"ansible_host": host.address, "mongod_memory_mb": _memory_mb(settings)}
                for host in settings.hosts
            },
            # Everybody outside reaches the hosts through their network's gateway, which is this machine.
            "vars": _connection(settings.env)
            | source.variables()
            | _networks([gateway], [gateway])
            | _names(settings)
            | {"firewall_rollback_seconds": 180},  # the hosts share one machine, which may be busy
            "children": groups,
        }
    }


def _connection(env: str) -> dict[str, str]:
    return {
        "ansible_user": "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": shlex.join(["-F", str(ssh.config(env))]),
        "cluster_secrets_dir": str(secrets_dir(env)),
    }


def _networks(admins: list[str], public: list[str]) -> dict[str, list[str]]:
    return {"cluster_admin_networks": admins, "cluster_public_networks": public}


def _names(settings: Settings) -> dict[str, str]:
    pairs = zip((_USER_HOST, _ADMIN_HOST, "cluster_acme_email"), (*settings.names, settings.acme_email), strict=True)
    return {variable: value for variable, value in pairs if value}


def _memory_mb(settings: Settings) -> int:
    """One host's share of the memory: a container sees all of the machine's."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return max(1024, machine // len(settings.hosts))
