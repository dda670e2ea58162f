"""After a run was interrupted or killed during Terraform, `cluster-down` removes everything, recorded or not."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.aws.checkout import Checkout
from tests.emulated_ec2.control_plane import ControlPlane
from tests.terraform.account import holdings

#: Nothing is installed before the interruption, so any will do.
PACKAGES = {
    "SOURCE": "mirror",
    "APT_URI": "http://192.0.2.80/",
    "APT_SUITE": "none",
    "APT_COMPONENT": "main",
    "APT_KEY_FILE": "README.md",
    "MONGODB_VERSION": "6.0",
}
PATIENCE = 120  # seconds


def wait_during(run: subprocess.Popen[str], moment: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not moment():
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < deadline, f"not there within {PATIENCE} s"
        time.sleep(0.05)


def has_security_group(aws: ControlPlane) -> bool:
    groups = aws.client("ec2").describe_security_groups()["SecurityGroups"]
    return any(group["GroupName"].startswith("film-library-") for group in groups)


def has_instance(aws: ControlPlane) -> bool:
    return bool(aws.client("ec2").describe_instances()["Reservations"])


@pytest.mark.parametrize(
    ("cut", "moment"),
    [
        pytest.param(
            signal.SIGINT, has_security_group, id="Ctrl-C among the security groups", marks=pytest.mark.thorough
        ),
        pytest.param(signal.SIGKILL, has_instance, id="killed among the instances"),
    ],
)
def test_down_leaves_nothing(
    aws: ControlPlane, checkout: Checkout, cut: signal.Signals, moment: Callable[[ControlPlane], bool]
) -> None:
    before = holdings(aws)
    with checkout.begin("cluster-up", **PACKAGES) as up:
        wait_during(up, lambda: moment(aws))
        if cut is signal.SIGKILL:
            checkout.kill()
        else:
            os.killpg(up.pid, cut)
        output, _ = up.communicate()
    assert up.returncode != 0
    assert cut is signal.SIGKILL or "Interrupted in phase 'Terraform'" in output
    assert holdings(aws) != before
    down = checkout.make_target("cluster-down", CONFIRM="aws")
    assert down.returncode == 0
    assert holdings(aws) == before
    again = checkout.make_target("cluster-down", CONFIRM="aws")
    assert again.returncode == 0
    assert "nothing to remove for aws" in again.stdout
