"""The AWS provider's current schema, in the format of `terraform providers schema -json`.

CDK for Terraform publishes the provider as generated JavaScript, one module per resource and data source. It has

    // cidr_block - computed: true, optional: true, required: false      for each attribute,
    return this.getStringAttribute('cidr_block');                        below it, the attribute's type,
    ingress: { value: ..., isBlock: true, type: "set", ...               and whether it is a block, and its nesting.

What the provider checks in code (allowed values, defaults, conflicts) isn't part of a schema.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Terraform's notation for a type: "string", ["list", "string"], ["object", {...}].
Type = Any

_CLASS = re.compile(r"^class (\w+) extends (\S+)")
# A nested block's table is in a function before its class, a resource's in the class itself.
_TABLE_OF_BLOCK = re.compile(r"^function (\w)(\w+)ToHclTerraform\(")
_TABLE_ENTRY = re.compile(r"^\s+(\w+): \{$")
_TABLE_VALUE = re.compile(r"^\s+(isBlock|type|storageClassType): \"?(\w+)\"?,$")
_MEMBER = re.compile(r"^    // (\w+) - computed: (\w+), optional: (\w+), required: (\w+)$")
_OBJECT = re.compile(r"new (?:cdktn\.)?(\w+)\(this, [\"']\w+[\"'](?:, (true|false))?\)")
_GETTER = re.compile(r"(Fn\.tolist\()?this\.(get\w+Attribute|interpolationForAttribute)\('\w+'\)")

_TYPES: dict[str, Type] = {
    "getStringAttribute": "string",
    "getNumberAttribute": "number",
    "getBooleanAttribute": "bool",
    "getListAttribute": ["list", "string"],
    "getNumberListAttribute": ["list", "number"],
    "getStringMapAttribute": ["map", "string"],
    "getNumberMapAttribute": ["map", "number"],
    "getBooleanMapAttribute": ["map", "bool"],
    "getAnyMapAttribute": ["map", "string"],
    "interpolationForAttribute": "dynamic",
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
    "StringMapList": ["list", ["map", "string"]],
}


class SchemaError(Exception):
    """The package contains something that this module can't read."""


@dataclass
class _Member:
    name: str
    flags: dict[str, bool]
    #: Its type; or, for an object, or a list or map of objects, the class with the object's members.
    type: Type = None
    holder: str = ""
    of_set: bool = False


@dataclass
class _Scope:
    base: str = ""
    members: list[_Member] = field(default_factory=list)
    table: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))

    def nesting(self, name: str) -> str:
        return self.table[name].get("type", "") if name in self.table else ""


def read(package: Path, types: Iterable[str]) -> dict[str, Any]:
    """The schema of types ("aws_vpc", "data.aws_ami") and of the provider itself, from CDK's package (.tgz).

    Returns {"version": the provider's, "provider": schema, "resource_schemas": {type: schema}, "data_source_schemas"}.
    Raises SchemaError if the provider lacks a type.
    """
    modules = {f"lib/{_module(name)}/index.js": name for name in types} | {"lib/provider/index.js": "provider"}
    schemas: dict[str, Any] = {}
    version = ""
    with tarfile.open(package) as archive:
        for entry in archive:
            path = entry.name.removeprefix("package/")
            # (A few huge modules are split into several files; none is needed here.)
            if (path in modules or path == "package.json") and (file := archive.extractfile(entry)):
                text = file.read().decode()
                if path == "package.json":
                    version = json.loads(text)["cdktn"]["provider"]["version"]
                else:
                    schemas[modules[path]] = {"version": 0, "block": _root(_parse(text))}
    if missing := sorted(set(modules.values()) - set(schemas)):
        raise SchemaError(f"provider {version} has no {', '.join(missing)}")
    data = {name.removeprefix("data."): schema for name, schema in schemas.items() if name.startswith("data.")}
    resources = {name: schema for name, schema in schemas.items() if name.startswith("aws_")}
    provider = schemas["provider"]
    return {"version": version, "provider": provider, "resource_schemas": resources, "data_source_schemas": data}


def _module(name: str) -> str:
    return name.replace("data.aws_", "data-aws-").removeprefix("aws_").replace("_", "-")


def _parse(text: str) -> dict[str, _Scope]:
    scopes: dict[str, _Scope] = defaultdict(_Scope)
    scope, entry, member = _Scope(), "", None
    for line in text.splitlines():
        if match := _TABLE_OF_BLOCK.match(line):
            scope = scopes[f"{match[1].upper()}{match[2]}OutputReference"]
        elif match := _CLASS.match(line):
            scope, member = scopes[match[1]], None
            scope.base = match[2]
        elif match := _TABLE_ENTRY.match(line):
            entry = match[1]
        elif match := _TABLE_VALUE.match(line):
            scope.table[entry][match[1]] = match[2]
        elif match := _MEMBER.match(line):
            flags = zip(("computed", "optional", "required"), (match[2], match[3], match[4]), strict=True)
            member = _Member(match[1], {flag: True for flag, value in flags if value == "true"})
            scope.members.append(member)
        elif member is not None and member.type is None and not member.holder:
            _read_accessor(member, line)
    return scopes


def _read_accessor(member: _Member, line: str) -> None:
    if match := _OBJECT.search(line):
        if match[1] in _TYPES:
            member.type = _TYPES[match[1]]
        else:
            member.holder, member.of_set = match[1], match[2] == "true"
    elif match := _GETTER.search(line):
        member.type = ["set", _TYPES[match[2]][1]] if match[1] else _TYPES[match[2]]


def _root(scopes: dict[str, _Scope]) -> dict[str, Any]:
    """The block of the resource or data source; for the provider, the simple attributes in its table."""
    for name, scope in scopes.items():
        if scope.base in {"cdktn.TerraformResource", "cdktn.TerraformDataSource"}:
            return _block(name, scopes)
        if scope.base == "cdktn.TerraformProvider":
            simple = {"string": "string", "boolean": "bool", "number": "number"}
            stored = {name: entry["storageClassType"] for name, entry in scope.table.items() if name != "alias"}
            return {
                "attributes": {name: {"type": simple[s], "optional": True} for name, s in stored.items() if s in simple}
            }
    raise SchemaError("the module has no resource, data source or provider")


def _block(name: str, scopes: dict[str, _Scope]) -> dict[str, Any]:
    scope = scopes[name]
    attributes, blocks = {}, {}
    for member in scope.members:
        is_block = member.name in scope.table and scope.table[member.name].get("isBlock") == "true"
        # Both: an attribute that may be written as blocks, such as security groups' rules.
        if is_block and "computed" not in member.flags:
            blocks[member.name] = _nested(member, scope.nesting(member.name), scopes)
        else:
            attributes[member.name] = {"type": _type(member, scope, scopes), **member.flags}
    return {"attributes": attributes, "block_types": blocks}


def _nested(member: _Member, nesting: str, scopes: dict[str, _Scope]) -> dict[str, Any]:
    single = nesting == "struct"  # as in resources of the plug-in framework, and `timeouts`
    nested: dict[str, Any] = {
        "nesting_mode": "single" if single else nesting,
        "block": _block(_holder(member), scopes),
    }
    if "required" in member.flags:
        nested["min_items"] = 1
    if not single and not member.holder.endswith("List"):
        nested["max_items"] = 1
    return nested


def _holder(member: _Member) -> str:
    return re.sub(r"(List|Map)$", "OutputReference", member.holder)


def _type(member: _Member, scope: _Scope, scopes: dict[str, _Scope]) -> Type:
    if not member.holder:
        if member.type is None:
            raise SchemaError(f"{member.name}: unknown accessor")
        is_set = scope.nesting(member.name) == "set" and member.type[0] == "list"
        return ["set", member.type[1]] if is_set else member.type
    holder = scopes[_holder(member)]
    fields = ["object", {inner.name: _type(inner, holder, scopes) for inner in holder.members}]
    if member.holder.endswith("Map"):
        return ["map", fields]
    is_set = member.of_set or scope.nesting(member.name) == "set"
    return ["set" if is_set else "list", fields]
