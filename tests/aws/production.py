"""A checkout's cluster as users see it: Terraform's outputs, ssh to the Elastic IPs, the router and the apps."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml
from pymongo import MongoClient

from ops.topology import MONGOS_PORT
from tests.aws.checkout import Checkout
from tests.emulated_ec2.emulation import EmulatedEc2

Client = MongoClient[dict[str, Any]]


@dataclass(frozen=True)
class Production:
    """`variables` are for `make cluster-up`: where to get MongoDB's packages."""

    aws: EmulatedEc2
    checkout: Checkout
    variables: Mapping[str, str]

    def up(self) -> subprocess.CompletedProcess[str]:
        """`make cluster-up ENV=aws`."""
        return self.checkout.make_target("cluster-up", **self.variables)

    def changed_tasks(self) -> dict[str, int]:
        """The number of changed tasks in the last cluster-up by host, without hosts that have none."""
        log = max((self.checkout.directory / "logs").glob("aws-up-*.log"))
        counts = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", log.read_text(), re.MULTILINE)
        assert counts, f"no recap in {log}"
        return {host: int(count) for host, count in counts if int(count)}

    @property
    def hosts(self) -> dict[str, dict[str, Any]]:
        """Terraform's output `hosts`: {instance_id, private_ip, public_ip, data_volume_id ...} by name."""
        state = json.loads((self.checkout.directory / "secrets/aws/terraform.tfstate").read_text())
        return dict(state["outputs"]["hosts"]["value"])

    def instance(self, name: str) -> dict[str, Any]:
        """EC2's description of a host's instance."""
        answer = self.aws.client("ec2").describe_instances(InstanceIds=[self.hosts[name]["instance_id"]])
        return dict(answer["Reservations"][0]["Instances"][0])

    def ssh(self, name: str, *command: str, stdin: str = "") -> str:
        """The output of a command on a host, as ubuntu. Raises CalledProcessError."""
        secrets, host = self.checkout.directory / "secrets/aws", self.hosts[name]
        options = ["-o", f"UserKnownHostsFile={secrets / 'known_hosts'}", "-o", f"HostKeyAlias={host['instance_id']}"]
        login = ["ssh", "-i", str(secrets / "ssh_key"), "-o", "BatchMode=yes", *options, f"ubuntu@{host['public_ip']}"]
        result = subprocess.run([*login, *command], check=True, input=stdin, capture_output=True, text=True)
        return result.stdout

    @contextmanager
    def router(self) -> Iterator[Client]:
        """The administrator's client of the router, from an administrator's address."""
        passwords = yaml.safe_load((self.checkout.directory / "secrets/aws/passwords.yml").read_text())
        address = self.hosts["router-1"]["public_ip"]
        client: Client
        with MongoClient(
            address,
            MONGOS_PORT,
            username="cluster-admin",
            password=passwords["cluster_admin"],
            directConnection=True,
            serverSelectionTimeoutMS=20_000,
            tls=True,
            tlsCAFile=str(self.checkout.directory / "secrets/aws/ca.pem"),
        ) as client:
            yield client

    def add_films(self, number: int) -> None:
        """Import films on the router's host, as an operator does. Raises CalledProcessError."""
        films = (json.dumps({"_id": f"f{n}", "title": f"Film {n}", "type": "MOVIE"}) for n in range(number))
        file = "/tmp/films.jsonl"  # noqa: S108 - on a host of our own
        importing = f"cat > {file} && sudo -n film-library import {file}"
        self.ssh("router-1", importing, stdin="\n".join(films))

    def films(self) -> int:
        """The number of films, counted by the shards."""
        with self.router() as client:
            return client["movie_library"]["movies"].count_documents({})
