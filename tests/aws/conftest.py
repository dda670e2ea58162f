"""An emulated EC2, a checkout, and a cluster in production."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import mirror, source
from tests.aws.checkout import Checkout
from tests.aws.production import Production
from tests.emulated_ec2.control_plane import ControlPlane
from tests.emulated_ec2.emulation import EmulatedEc2
from tests.emulated_ec2.network import ADMINISTRATOR


@pytest.fixture
def aws() -> Iterator[ControlPlane]:
    """Only the API, for runs that don't need machines."""
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture
def checkout(aws: ControlPlane, tmp_path: Path) -> Checkout:
    """A checkout for these runs."""
    return Checkout.make(tmp_path, aws.environment() | {"TF_VAR_admin_cidrs": '["203.0.113.0/28"]'})


@pytest.fixture(scope="session")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    """An empty account, an administrator's address, and packages on the emulated internet."""
    packages = source.offline()
    with EmulatedEc2() as aws:
        variables = {
            "SOURCE": "mirror",
            "APT_URI": aws.serve_directory(mirror.MIRROR),
            "APT_SUITE": packages.suite,
            "APT_COMPONENT": packages.component,
            "APT_KEY_FILE": str(packages.key_file),
            "MONGODB_VERSION": packages.version,
        }
        environment = aws.environment() | {"TF_VAR_admin_cidrs": f'["{ADMINISTRATOR}/32"]'}
        checkout = Checkout.make(tmp_path_factory.mktemp("checkout"), environment)
        checkout.add_group_variables(backup_environment=_instance(aws))
        yield Production(aws, checkout, variables)


def _instance(aws: EmulatedEc2) -> dict[str, str]:
    """What an instance has from the metadata service, which isn't emulated, and where S3 is."""
    credentials = {name: value for name, value in aws.environment().items() if "KEY" in name}
    return {"AWS_ENDPOINT_URL_S3": aws.serve_api(), **credentials}
