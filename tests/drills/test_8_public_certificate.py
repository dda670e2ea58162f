"""certbot gets a certificate that browsers know for the apps' own names, and renews it."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import podman
from ops.containers import container_name
from ops.environments import programs
from ops.topology import ADMIN_APP_PORT, USER_APP_PORT
from tests.deployed import Deployment, Inventory
from tests.drills.environment import ENV
from tests.drills.test_1_power_loss import wait_for
from tests.drills.test_5_cut_off import run_role
from tests.drills.test_7_host_names import ADMIN, USER

pytestmark = pytest.mark.thorough
PORT = 14000
SERVER = Path(__file__).with_name("acme_server.py")


@pytest.fixture(scope="module")
def authority(inventory: Inventory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The certificate of an authority that listens on the web host's loopback."""
    directory = tmp_path_factory.mktemp("acme")
    web = container_name(ENV, inventory.group("web")[0])
    process = podman.run("inspect", "--format", "{{.State.Pid}}", web).stdout.strip()
    # This machine's files, in the host's network: sshd there forwards nothing from afar.
    argv = podman.as_root("nsenter", f"--net=/proc/{process}/ns/net", str(programs("acme") / "python"), str(SERVER))
    argv += [str(directory), str(PORT), "127.0.0.1", USER, ADMIN]
    with subprocess.Popen(argv, stderr=(directory / "log").open("w")) as server:
        try:
            wait_for(lambda: (directory / "ca.pem").exists() or server.poll() is not None, "authority")
            assert server.poll() is None, (directory / "log").read_text()
            yield directory / "ca.pem"
        finally:
            server.terminate()


def deploy(inventory: Inventory, **variables: object) -> None:
    web = inventory.group("web")[0]
    for role in ("certificates", "webapps"):
        result = run_role(inventory, web, role, **variables)
        assert result.returncode == 0, result.stdout[-3000:]


def shown(inventory: Inventory, authority: Path, name: str, port: int) -> str:
    """The serial number of the certificate for that name, which must be the authority's."""
    trust = ssl.create_default_context(cafile=str(authority))
    with (
        socket.create_connection((inventory.address(inventory.group("web")[0]), port), timeout=20) as plain,
        trust.wrap_socket(plain, server_hostname=name) as connection,
    ):
        certificate = connection.getpeercert()
        assert certificate
        return str(certificate["serialNumber"])


def test_certbot_gets_a_certificate_and_renews_it(
    inventory: Inventory, deployment: Deployment, authority: Path
) -> None:
    web = inventory.group("web")[0]
    host = deployment.host(web)
    names = {"cluster_user_host": USER, "cluster_admin_host": ADMIN}
    acme = {"cluster_acme_email": "ops@example.org", "webapps_acme_server": f"http://127.0.0.1:{PORT}/directory"}
    try:
        deploy(inventory, **names, **acme)
        first = shown(inventory, authority, USER, USER_APP_PORT)
        assert shown(inventory, authority, ADMIN, ADMIN_APP_PORT) == first
        with inventory.browser().open(f"{inventory.site(web, USER_APP_PORT)}/readyz", timeout=20) as page:
            assert page.status == 200, "the address keeps the certificate of the environment's authority"
        assert host.service("certbot.timer").is_enabled
        host.check_output("certbot renew --force-renewal --no-random-sleep-on-renew")
        wait_for(lambda: shown(inventory, authority, USER, USER_APP_PORT) != first, "renewed certificate")
    finally:
        deploy(inventory)
        host.check_output("rm -r /etc/letsencrypt")  # accounts and certificates of an authority that is gone
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(inventory, authority, USER, USER_APP_PORT)
