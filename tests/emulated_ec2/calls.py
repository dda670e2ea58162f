"""What an IAM policy would be asked about a request to the emulated EC2 and IAM; moto itself doesn't check conditions.

Recorded before each request that may change something, because the tags at that time decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

#: Kind of resource, as in its ARN, by the beginning of its id.
_KINDS = {
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "i": "instance",
    "igw": "internet-gateway",
    "key": "key-pair",
    "rtb": "route-table",
    "sg": "security-group",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
}
_ID = re.compile(rf"({'|'.join(_KINDS)})-[0-9a-f]{{8,}}")


def call(response: Any) -> dict[str, Any] | None:
    """A request that moto is about to serve, as

    {action: "ec2:CreateSubnet", made: {kind: its tags}, named: {ARN: its tags}, boundary: ARN or None, terraform: True}

    `made` has what the request creates with tags, `named` the existing resources in its parameters, `boundary` the
    permissions boundary that a role gets or has; `terraform` is whether Terraform sent it. None for other services.
    """
    service = response.service_name
    if service not in ("ec2", "iam"):
        return None
    parameters = {key: values[0] for key, values in response.querystring.items()}
    named = _ec2_resources(response, parameters) if service == "ec2" else _iam_resources(response, parameters)
    return {
        "action": f"{service}:{response._get_action()}",
        "made": _made(parameters),
        "named": named,
        "boundary": parameters.get("PermissionsBoundary") or _boundary(response, parameters.get("RoleName")),
        "terraform": "Terraform" in response.headers.get("User-Agent", ""),
    }


def _made(parameters: dict[str, str]) -> dict[str, dict[str, str]]:
    made: dict[str, dict[str, str]] = {}
    for name, value in parameters.items():
        if match := re.fullmatch(r"TagSpecification\.(\d+)\.Tag\.(\d+)\.Key", name):
            kind = parameters[f"TagSpecification.{match[1]}.ResourceType"]
            made.setdefault(kind, {})[value] = parameters[name.removesuffix("Key") + "Value"]
    return made


def _ec2_resources(response: Any, parameters: dict[str, str]) -> dict[str, dict[str, str]]:
    backend = ec2_backends[response.current_account][response.region]
    prefix = f"arn:aws:ec2:{response.region}:{response.current_account}"
    if response._get_action() == "ImportKeyPair":
        del parameters["KeyName"]  # of the new one
    ids = [identity for name, value in parameters.items() for identity in _ids(name, value, backend)]
    kinds = {identity: _KINDS[identity.rpartition("-")[0]] for identity in ids}
    return {f"{prefix}:{kinds[identity]}/{identity}": dict(backend.tags.get(identity, {})) for identity in ids}


def _ids(name: str, value: str, backend: Any) -> Iterator[str]:
    """The resources that a parameter names: by id, by an association's, or by a key pair's name."""
    if _ID.fullmatch(value):
        yield value
    elif name == "KeyName" and value in backend.key_pairs:
        yield backend.key_pairs[value].id
    elif value.startswith("eipassoc-"):
        yield from (address.allocation_id for address in backend.addresses if address.association_id == value)
    elif value.startswith("rtbassoc-"):
        yield from (table.id for table in backend.route_tables.values() if value in table._associations)


def _iam_resources(response: Any, parameters: dict[str, str]) -> dict[str, dict[str, str]]:
    """The profile where there is one, as it is what AddRoleToInstanceProfile and its opposite change."""
    prefix = f"arn:aws:iam::{response.current_account}"
    for kind, name in (("instance-profile", "InstanceProfileName"), ("role", "RoleName")):
        if name in parameters:
            return {f"{prefix}:{kind}/{parameters[name]}": {}}
    return {}


def _boundary(response: Any, role: str | None) -> str | None:
    roles = iam_backends[response.current_account]["aws"].roles.values()
    return next((known.permissions_boundary_arn for known in roles if known.name == role), None)
