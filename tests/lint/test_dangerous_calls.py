"""What the apps never use, so that input can't reach it: programs, other parsers, code made from text.

docs/asvs.md says of these that they don't apply, and this is why.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.paths import ROOT

APP = sorted((ROOT / "app").rglob("*.py"))
TEMPLATES = sorted((ROOT / "app").rglob("*.html"))
SCRIPTS = sorted((ROOT / "app").rglob("*.js"))

#: Modules that start programs, run what they read, parse XML, or talk to other services than the database.
MODULES = {"subprocess", "pty", "ctypes", "cffi", "pickle", "marshal", "shelve", "dill", "yaml", "xml", "lxml"}
MODULES |= {"socket", "http", "urllib.request", "urllib3", "requests", "httpx", "aiohttp", "ftplib", "smtplib", "ldap3"}
MODULES |= {
    "flask.render_template_string",
    "redis",
    "memcache",
    "pymemcache",
    "markdown",
    "multiprocessing",
    "jwt",
    "authlib",
}
CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "render_template_string", "from_string"}
#: Markup() takes text as it is. Of constants, and of what a library or a template has made.
MARKUP = {"app/user/likes.py", "app/admin/confirmation.py", "app/admin/second_factor.py"}

#: What makes code or HTML of text, takes messages from other sites, keeps data, or sets a key from outside.
IN_SCRIPTS = re.compile(
    r"\b(?:eval|Function)\s*\(|document\.write|outerHTML|insertAdjacentHTML|javascript:"
    r"|innerHTML\s*\+?=(?!\s*'[^']*';)"  # a constant is harmless
    r"|window\.(?:postMessage|onmessage|addEventListener\(\s*.message)"  # a BroadcastChannel has one origin only
    r"|\b(?:localStorage|sessionStorage|indexedDB|document\.cookie|document\.domain|__proto__)\b"
    r"|(?<=\w)\[\w+\]\s*=(?![=>])"  # the key could be __proto__; a Map has no such keys
)


def imported(file: Path) -> Iterator[str]:
    """The modules that a file imports, with their packages."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def called(file: Path) -> Iterator[str]:
    """The names of the functions that a file calls; not those of methods of `re`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Name):
                yield function.id
            elif isinstance(function, ast.Attribute) and ast.unparse(function.value) != "re":
                yield function.attr


@pytest.mark.parametrize("file", APP, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_module_starts_programs_or_runs_text(file: Path) -> None:
    assert set(imported(file)) & MODULES == set()
    assert set(called(file)) & CALLS == set()
    assert "Markup" not in set(called(file)) or str(file.relative_to(ROOT)) in MARKUP


def test_templates_escape_everything() -> None:
    unescaped = re.compile(r"\|\s*safe\b|autoescape|\bMarkup\b|<(object|embed|applet|iframe|frame)\b")
    assert TEMPLATES
    assert [file.name for file in TEMPLATES if unescaped.search(file.read_text())] == []


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.name)
def test_no_script_makes_code_or_html_of_text(file: Path) -> None:
    assert [found[0] for found in IN_SCRIPTS.finditer(file.read_text())] == []
