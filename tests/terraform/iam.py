"""Evaluates IAM policies as AWS documents it, for those in terraform/: moto ignores conditions and boundaries.

What AWS asks about a request is from its Service Authorization Reference, from memory of no live account: for each
resource that the request creates or names, with the keys of that resource. A wildcard stands for any characters. Any
element or operator that these policies don't have is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

REGION = "eu-central-1"
ACCOUNT = "123456789012"


@dataclass(frozen=True)
class Question:
    """May somebody do `action` with `resource` (an ARN)? `keys` are the condition keys that AWS supplies."""

    action: str
    resource: str
    keys: Mapping[str, str] = field(default_factory=dict)


def allows(policy: Mapping[str, Any], question: Question) -> bool:
    """Whether the policy allows it: some statement does and none denies it."""
    effects = {entry["Effect"] for entry in policy["Statement"] if _matches(entry, question)}
    return effects == {"Allow"}


def _matches(statement: Mapping[str, Any], question: Question) -> bool:
    assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}, statement
    return (
        any(fnmatchcase(question.action, pattern) for pattern in _list(statement["Action"]))
        and any(fnmatchcase(question.resource, pattern) for pattern in _list(statement["Resource"]))
        and all(
            key in question.keys and any(_compare(operator, question.keys[key], value) for value in _list(values))
            for operator, wanted in statement.get("Condition", {}).items()
            for key, values in wanted.items()
        )
    )


def _compare(operator: str, value: str, wanted: str) -> bool:
    if operator == "NumericLessThanEquals":
        return float(value) <= float(wanted)
    return {"StringEquals": value == wanted, "StringLike": fnmatchcase(value, wanted)}[operator]


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def ec2(action: str, kind: str, **keys: str) -> Question:
    """A question about a resource of EC2, whose tag Project has the value `owner` and shall have `new_owner`."""
    names = {"owner": "aws:ResourceTag/Project", "new_owner": "aws:RequestTag/Project", "creating": "ec2:CreateAction"}
    given = {names[name]: value for name, value in keys.items()}
    resource = f"arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/{kind}-0123"
    return Question(f"ec2:{action}", resource, {"aws:RequestedRegion": REGION, **given})


def questions(call: Mapping[str, Any]) -> Iterator[Question]:
    """What AWS asks about a request that the emulated EC2 recorded (tests.emulated_ec2.calls)."""
    service, action = call["action"].split(":")
    if service == "iam":
        keys = {"iam:PermissionsBoundary": call["boundary"]} if call["boundary"] else {}
        yield from (Question(call["action"], resource, keys) for resource in call["named"])
        return
    for kind, tags in call["made"].items():
        new = {"new_owner": tags["Project"]} if "Project" in tags else {}
        yield ec2(action, kind, **new)
        yield ec2("CreateTags", kind, creating=action, **new)
    for resource, tags in call["named"].items():
        kind = resource.split(":")[-1].split("/")[0]
        yield ec2(action, kind, **({"owner": tags["Project"]} if "Project" in tags else {}))
    if action == "RunInstances":  # from Canonical's image, with an interface of its own
        yield from (ec2(action, kind) for kind in ("image", "network-interface"))
