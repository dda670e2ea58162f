"""The scanners find what is there; tests/roles/cluster/test_scanners.py uses them on deployed hosts."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests import scanners


@pytest.mark.skipif(not shutil.which("nmap"), reason="needs `bin/bootstrap scanners`")
def test_nmap_finds_an_open_port_among_closed_ones() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert scanners.open_ports(["127.0.0.1"], f"{port - 1}-{port + 1}")["127.0.0.1"] >= {port}
    assert port not in scanners.open_ports(["127.0.0.1"], str(port))["127.0.0.1"]


def test_lynis_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program in its place warns of something."""
    fake = tmp_path / "lynis"
    fake.write_text(
        "#!/bin/sh\nprintf '%s\\n' lynis_version=3 'warning[]=TEST-1|Something|-|-|' "
        "'suggestion[]=TEST-2|Other|' finish=true >report.dat\n"
    )
    fake.chmod(0o755)
    monkeypatch.setattr(scanners, "LYNIS", {str(fake): "lynis"})
    monkeypatch.setattr(scanners, "_program", str)
    places: list[str] = []

    def run(command: list[str], given: str) -> str:
        monkeypatch.setenv("TMPDIR", str(tmp_path / "host"))
        (tmp_path / "host").mkdir()
        places.append(command[-1])
        return subprocess.run(command, input=given, check=True, stdout=subprocess.PIPE, text=True).stdout

    assert scanners.lynis_warnings(run) == {"TEST-1": "Something"}
    assert list((tmp_path / "host").iterdir()) == []
