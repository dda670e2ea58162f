"""Ports are written in one file, which ops, Ansible and Terraform read."""

from __future__ import annotations

import json
import re

from ops.paths import ANSIBLE, ROOT
from ops.topology import shard_port
from tests import repository

TOPOLOGY = ANSIBLE / "group_vars/all/topology.json"
PORTS = json.loads(TOPOLOGY.read_text())["cluster_ports"]
#: Too short to be searched for, or no port.
SHORT = {"redirect", "user_app", "shard_step"}
#: Documentation and tests name ports, as do copies of what MongoDB's own packages and programs have by default.
EXEMPT = re.compile(
    r".*\.(md|svg)|(tests|terraform/tests)/.*|standin/config\.py|ops/packages/mongodb-org-server/etc/mongod\.conf"
)


def test_no_other_file_has_a_port_of_the_cluster() -> None:
    ports = {port for name, port in PORTS.items() if name not in SHORT} | {shard_port(2)}
    pattern = re.compile(rf"(?<![\w.])({'|'.join(map(str, sorted(ports)))})(?!\w|\.\d)")
    found = []
    for name in repository.files():
        file = ROOT / name
        if file == TOPOLOGY or EXEMPT.fullmatch(str(name)) or not file.is_file():
            continue
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
            if pattern.search(line) and "\0" not in line:
                found.append(f"{name}:{number}: {line.strip()[:100]}")
    assert found == []
