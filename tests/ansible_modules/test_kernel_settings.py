"""The module kernel_settings on files of its own and on a kernel parameter that nobody can write."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ansible_modules.conftest import Module


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    for name, value in {"swappiness": "60\n", "enabled": "always [madvise] never\n", "file-max": "500\n"}.items():
        (tmp_path / name).write_text(value)
    return tmp_path


def test_sets_what_differs_once(run_module: Module, kernel: Path) -> None:
    wanted = {
        "settings": {f"{kernel}/swap*": 1, f"{kernel}/enabled": "madvise"},
        "minimums": {f"{kernel}/file-max": 900},
    }
    preview = run_module("kernel_settings", check=True, **wanted)
    assert preview["changed"]
    assert (kernel / "swappiness").read_text() == "60\n"

    first = run_module("kernel_settings", **wanted)
    assert first["diff"] == {
        "before": {f"{kernel}/swappiness": "60", f"{kernel}/file-max": "500"},
        "after": {f"{kernel}/swappiness": "1", f"{kernel}/file-max": "900"},
    }
    assert ((kernel / "swappiness").read_text(), (kernel / "file-max").read_text()) == ("1", "900")
    second = run_module("kernel_settings", **wanted)
    assert (second["changed"], second["skipped_settings"], second["exceeded_minimums"]) == (False, {}, [])


def test_never_lowers_a_minimum(run_module: Module, kernel: Path) -> None:
    result = run_module("kernel_settings", settings={}, minimums={f"{kernel}/file-max": 400})
    assert (result["changed"], result["exceeded_minimums"]) == (False, [f"{kernel}/file-max"])


def test_reports_what_cannot_be_set(run_module: Module, kernel: Path) -> None:
    result = run_module("kernel_settings", settings={"kernel.ostype": "Plan9", f"{kernel}/nvme*": 16})
    assert not result["changed"]
    assert result["skipped_settings"][f"{kernel}/nvme*"] == "no such device or setting here"
    assert result["skipped_settings"]["/proc/sys/kernel/ostype"] in (
        "not permitted, stays Linux",
        "read-only here, stays Linux",
    )
