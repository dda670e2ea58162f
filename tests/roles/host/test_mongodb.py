"""Role `mongodb`: held packages of one series from a signed repository; the key file."""

from __future__ import annotations

from tests.deployed import Deployment, Inventory, Process

PACKAGES = {"mongod": "mongodb-org-server", "mongos": "mongodb-org-mongos"}


def package(process: Process) -> str:
    return PACKAGES["mongos" if process.name == "mongos" else "mongod"]


def test_package_is_of_the_series_asked_for(deployment: Deployment, inventory: Inventory, process: Process) -> None:
    installed = deployment.host(process.host).package(package(process))
    series = str(inventory.variables[process.host]["mongodb_version"])
    assert installed.version.startswith(f"{series}.")


def test_package_is_of_the_exact_version_asked_for(
    deployment: Deployment, inventory: Inventory, process: Process
) -> None:
    """The stand-in comes from this checkout, so that it knows the options that the roles write."""
    installed = deployment.host(process.host).package(package(process))
    exact = inventory.variables[process.host].get("mongodb_package_versions", {})
    assert installed.version == exact.get(package(process), installed.version)


def test_package_is_held_and_pinned(deployment: Deployment, process: Process) -> None:
    host = deployment.host(process.host)
    assert package(process) in host.check_output("apt-mark showhold").split()
    installed = next(
        line for line in host.check_output("apt-cache policy %s", package(process)).splitlines() if "***" in line
    )
    assert installed.split()[2] == "1001", "the pin, which also overrides a newer series"


def test_upgrades_of_libraries_restart_no_process(deployment: Deployment, process: Process) -> None:
    """needrestart's settings are Perl: pattern for units -> whether to restart them."""
    program = 'defined(do "/etc/needrestart/conf.d/mongodb.conf") or die; for (keys %{$nrconf{override_rc}})'
    program += " { print $nrconf{override_rc}{$_} if $ARGV[0] =~ /$_/ }"
    assert deployment.host(process.host).check_output("perl -e %s %s", program, process.unit) == "0"


def test_repository_is_trusted_by_its_own_key_alone(deployment: Deployment, process: Process) -> None:
    host = deployment.host(process.host)
    source = host.file("/etc/apt/sources.list.d/mongodb-org.sources").content_string
    assert "Signed-By: /etc/apt/keyrings/" in source
    assert "trusted" not in source.lower()
    assert host.run("test -e /etc/apt/trusted.gpg").rc != 0, "a key there would be trusted for every repository"


def test_key_file_is_the_database_users_alone(deployment: Deployment, process: Process) -> None:
    key = deployment.host(process.host).file("/etc/mongod/keyfile")
    assert (key.user, key.mode) == ("mongodb", 0o400)
    assert deployment.host(process.host).run("setpriv --reuid=nobody --clear-groups cat /etc/mongod/keyfile").rc != 0


def test_configuration_is_not_public(deployment: Deployment, process: Process) -> None:
    path = "/etc/mongos.conf" if process.name == "mongos" else f"/etc/mongod/{process.name}.conf"
    file = deployment.host(process.host).file(path)
    assert (file.user, file.group, file.mode) == ("root", "mongodb", 0o640)
