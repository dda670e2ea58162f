"""The tables of variables and outputs in terraform/README.md, generated from the code.

`python -m tests.terraform.documentation` writes them; a test compares them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.terraform.workspace import TERRAFORM

README = TERRAFORM / "README.md"

_TABLES = re.compile(r"(?<=<!-- tables -->\n).*(?=<!-- end of tables -->)", re.DOTALL)
_BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}$', re.DOTALL | re.MULTILINE)
# `terraform fmt` indents a block's arguments, and their closing brackets, by two spaces.
_ARGUMENT = r"^  %s\s+= (.*?)$(?=\n  \w|\n\n|\n\Z)"


@dataclass(frozen=True)
class Block:
    """A variable or output; type and default as written in the code, or None."""

    kind: str
    name: str
    description: str
    type: str | None
    default: str | None


def blocks(sources: Path) -> list[Block]:
    """A module's variables and outputs, sorted by file, in the file's order."""
    found = []
    for file in sorted(sources.glob("*.tf")):
        for kind, name, body in _BLOCK.findall(file.read_text()):
            description, type_, default = (_argument(body, key) for key in ("description", "type", "default"))
            found.append(Block(kind, name, (description or "").strip('"'), type_, default))
    return found


def _argument(body: str, name: str) -> str | None:
    match = re.search(_ARGUMENT % name, body, re.DOTALL | re.MULTILINE)
    if match is None:
        return None
    one_line = re.sub(r"(?<=[^{(\[])\n\s+(?=\w)", ", ", match[1])  # the lines of an object
    return re.sub(r"\s+", " ", one_line)


def tables(sources: Path) -> str:
    """Both tables as Markdown, with empty lines around them."""
    variables = [
        f"| `{block.name}` | {block.description} | `{block.type}` | {_default(block)} |"
        for block in blocks(sources)
        if block.kind == "variable"
    ]
    outputs = [f"| `{block.name}` | {block.description} |" for block in blocks(sources) if block.kind == "output"]
    head = ["", "| variable | what it is | type | default |", "|---|---|---|---|"]
    return "\n".join([*head, *variables, "", "| output | what it is |", "|---|---|", *outputs, "", ""])


def _default(block: Block) -> str:
    return f"`{block.default}`" if block.default is not None else "required"


def current() -> str:
    """The tables in the README. Raises ValueError if it has none."""
    if not (match := _TABLES.search(README.read_text())):
        raise ValueError(f"{README} has no <!-- tables --> ... <!-- end of tables -->")
    return match[0]


def main() -> None:
    """Writes the tables to the README."""
    README.write_text(_TABLES.sub(lambda _: tables(TERRAFORM), README.read_text()))


if __name__ == "__main__":
    main()
