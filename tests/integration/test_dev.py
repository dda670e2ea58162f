"""`make dev`: it starts, serves both apps, and leaves nothing behind after Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from ops.dev import APPS
from ops.paths import ROOT
from ops.processes import port_is_free

PATIENCE = 900  # seconds; about 20 on a quiet machine


def start_dev(topology: str, output: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ops", "dev"],
        cwd=ROOT,
        env=os.environ | {"TOPOLOGY": topology},
        stdin=subprocess.DEVNULL,
        stdout=output.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def test_it_comes_up_serves_both_apps_and_cleans_up_on_ctrl_c(tmp_path: Path) -> None:
    output = tmp_path / "output"
    process = start_dev("single", output)
    try:
        deadline = time.monotonic() + PATIENCE
        while "Ctrl-C stops everything" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)  # between two looks
        for port in APPS.values():
            with urllib.request.urlopen(f"http://localhost:{port}/readyz", timeout=30) as response:
                assert response.status == 200
        database = re.search(r"@localhost:(\d+)/", output.read_text())
        assert database
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(PATIENCE) == 0, output.read_text()
        assert "data deleted" in output.read_text()
        assert [port for port in (*APPS.values(), int(database[1])) if not port_is_free(port)] == []
    finally:
        process.kill()


def test_a_taken_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", APPS["user"])):
        assert start_dev("single", tmp_path / "output").wait(PATIENCE) == 2
    assert f"port {APPS['user']}" in (tmp_path / "output").read_text()


@pytest.mark.parametrize("topology", ["dedicated", "nonsense"])
def test_an_unknown_topology_is_refused_with_the_allowed_ones(tmp_path: Path, topology: str) -> None:
    assert start_dev(topology, tmp_path / "output").wait(PATIENCE) == 2
    assert "compact, single" in (tmp_path / "output").read_text()
