"""The EC2 inventory describes a cluster like that of local hosts. The real plugin, against moto's EC2."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops import inventory
from ops.paths import ANSIBLE
from ops.settings import Settings
from ops.source import PackageSource
from ops.topology import Host
from tests.emulated_ec2.control_plane import ControlPlane

AWS = ANSIBLE / "inventories/aws/aws_ec2.yml"
CLUSTER = "c0ffee"
SUBNET = IPv4Network("10.20.1.0/24")
#: What ansible/group_vars derives of the hosts, and the roles go by.
DERIVED = [
    "cluster_replica_sets",
    "cluster_config_db",
    "cluster_hosts",
    "cluster_address",
    "base_hosts",
    "mongod_members",
]


@pytest.fixture(scope="module")
def aws() -> Iterator[ControlPlane]:
    with ControlPlane() as control_plane:
        yield control_plane


@pytest.fixture(scope="module")
def settings() -> Settings:
    return Settings.read({"ENV": "aws", "SUBNET": str(SUBNET)})


@pytest.fixture(scope="module")
def instances(aws: ControlPlane, settings: Settings) -> dict[str, dict[str, str]]:
    """A running instance for each host of the layout, and four that are none; host -> what EC2 gave it."""
    given = {host.name: launch(aws, host) for host in settings.hosts}
    launch(aws, Host("mongo-4", str(SUBNET[90]), ("config",)), Environment="another")
    launch(aws, Host("mongo-5", str(SUBNET[91]), ("config",)), Project="another")
    launch(aws, Host("mongo-6", str(SUBNET[92]), ("config",)), Cluster="another")
    stopped = launch(aws, Host("mongo-7", str(SUBNET[93]), ("config",)))
    aws.client("ec2").stop_instances(InstanceIds=[stopped["instance_id"]])
    return given


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> tuple[list[Path], list[Path]]:
    """The inventories of EC2 (with the variables that come beside it) and of local hosts, for the same layout."""
    directory = tmp_path_factory.mktemp("inventories")
    source = PackageSource("offline", "6.0", "http://mirror.example/apt", "noble", "main", directory / "key.asc")
    local, beside = directory / "local.yml", directory / "beside.yml"
    contents = inventory.inventory(settings, source)
    local.write_text(yaml.safe_dump(contents))
    beside.write_text(yaml.safe_dump({"all": {"vars": source.variables()}}))
    return [AWS, beside], [local]


@pytest.fixture(scope="module")
def listing(
    aws: ControlPlane, sources: tuple[list[Path], list[Path]], instances: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """What the inventory says of the instances."""
    return listed(aws, sources[0])


def launch(aws: ControlPlane, host: Host, **other_tags: str) -> dict[str, str]:
    """Starts an instance as terraform/ does: tags, fixed private address, Elastic IP, and a member's data volume."""
    ec2 = aws.client("ec2")
    tags = {"Project": "film-library", "Environment": "aws", "Cluster": CLUSTER}
    tags |= {"Name": host.name, "Groups": ",".join(host.groups)} | other_tags
    instance = ec2.run_instances(
        ImageId=ec2.describe_images(Owners=["099720109477"])["Images"][0]["ImageId"],
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet(ec2),
        PrivateIpAddress=host.address,
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            }
        ],
    )["Instances"][0]
    instance_id = instance["InstanceId"]
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance_id)
    volume_id = ""
    if "mongos" not in host.groups:
        zone = instance["Placement"]["AvailabilityZone"]
        volume_id = ec2.create_volume(Size=1, AvailabilityZone=zone, VolumeType="gp3")["VolumeId"]
        ec2.attach_volume(VolumeId=volume_id, InstanceId=instance_id, Device="/dev/sdf")
    return {"instance_id": instance_id, "public_ip": address["PublicIp"], "volume_id": volume_id}


def subnet(ec2: Any) -> str:
    """The id of the one subnet that has the hosts' addresses, made at first use."""
    found = ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": [str(SUBNET)]}])["Subnets"]
    if found:
        return str(found[0]["SubnetId"])
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    return str(ec2.create_subnet(VpcId=vpc, CidrBlock=str(SUBNET))["Subnet"]["SubnetId"])


def environment(aws: ControlPlane) -> dict[str, str]:
    """What `make` sets for Ansible."""
    return aws.environment() | {"FILM_LIBRARY_CLUSTER": CLUSTER}


def run(tool: str, sources: list[Path], *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """One of Ansible's programs with these inventories, in the directory that `make` runs them in."""
    command = [str(Path(sys.executable).with_name(tool)), *arguments]
    command += [argument for source in sources for argument in ("--inventory", str(source))]
    own = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_", "FILM_LIBRARY_"))
    }
    return subprocess.run(command, cwd=ANSIBLE, env=own | variables, capture_output=True, text=True, check=False)


def listed(aws: ControlPlane, sources: list[Path]) -> dict[str, Any]:
    """What `ansible-inventory --list` prints."""
    result = run("ansible-inventory", sources, "--list", **environment(aws))
    assert result.returncode == 0, result.stderr
    assert "reserved name" not in result.stderr
    # Values from outside are marked as such, so that nobody takes them for templates.
    return dict(json.loads(result.stdout, object_hook=lambda entry: entry.get("__ansible_unsafe", entry)))


def groups(listing: dict[str, Any]) -> dict[str, set[str]]:
    """Group -> its hosts, without the plugin's own group of everything."""
    found = {name: set(group.get("hosts", [])) for name, group in listing.items() if name not in ("_meta", "aws_ec2")}
    return {name: hosts for name, hosts in found.items() if hosts}


def derived(aws: ControlPlane, sources: list[Path]) -> dict[str, Any]:
    """Host -> the values of DERIVED as a play on it sees them."""
    message = "{{ {" + ", ".join(f"'{name}': {name}" for name in DERIVED) + "} }}"
    result = run(
        *("ansible", sources, "all", "--playbook-dir", ".", "--module-name", "debug"),
        *("--args", json.dumps({"msg": message})),
        ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
        ANSIBLE_LOAD_CALLBACK_PLUGINS="1",
        **environment(aws),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    hosts = json.loads(result.stdout)["plays"][0]["tasks"][0]["hosts"]
    return {host: answer["msg"] for host, answer in hosts.items()}


def test_groups_are_those_of_local_hosts(
    aws: ControlPlane, listing: dict[str, Any], sources: tuple[list[Path], list[Path]]
) -> None:
    """So no instance that is stopped, or of another project, environment or cluster, is a host."""
    assert groups(listing) == groups(listed(aws, sources[1]))


@pytest.mark.usefixtures("instances")
def test_the_roles_are_told_the_same(aws: ControlPlane, sources: tuple[list[Path], list[Path]]) -> None:
    ec2, local = (derived(aws, each) for each in sources)
    assert ec2 == local


def test_hosts_are_reached_at_their_public_addresses(
    listing: dict[str, Any], instances: dict[str, dict[str, str]]
) -> None:
    hosts = listing["_meta"]["hostvars"]
    found = {name: (host["ansible_host"], host["ansible_user"], host["instance_id"]) for name, host in hosts.items()}
    assert found == {name: (each["public_ip"], "ubuntu", each["instance_id"]) for name, each in instances.items()}


def test_members_know_their_data_volume_by_its_id(
    listing: dict[str, Any], instances: dict[str, dict[str, str]]
) -> None:
    """As udev names the link on a machine with NVMe; a router has no volume."""
    hosts = listing["_meta"]["hostvars"]
    link = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"
    wanted = {name: link + each["volume_id"].replace("-", "") for name, each in instances.items()}
    wanted["router-1"] = ""
    assert {name: host["data_volume_device"] for name, host in hosts.items()} == wanted
    assert {host["data_volume_required"] for host in hosts.values()} == {True}


def test_an_instance_without_groups_is_an_error(settings: Settings, sources: tuple[list[Path], list[Path]]) -> None:
    """A cluster that misses a host would be a smaller cluster."""
    with ControlPlane() as aws:
        instance_id = launch(aws, settings.hosts[0])["instance_id"]
        aws.client("ec2").delete_tags(Resources=[instance_id], Tags=[{"Key": "Groups"}])
        result = run("ansible-inventory", sources[0], "--list", **environment(aws))
    assert result.returncode != 0
    assert "Groups" in result.stderr


@pytest.mark.usefixtures("listing")  # it is right without the error
def test_a_typing_error_in_the_inventory_is_an_error(aws: ControlPlane, tmp_path: Path) -> None:
    copy = tmp_path / AWS.name
    copy.write_text(AWS.read_text().replace("ec2_public_ip_address", "ec2_public_ip_adress"))
    result = run("ansible-inventory", [copy], "--list", **environment(aws))
    assert result.returncode != 0
    assert "ec2_public_ip_adress" in result.stderr


@pytest.mark.usefixtures("listing")
@pytest.mark.parametrize("variable", ["AWS_REGION", "FILM_LIBRARY_CLUSTER"])
def test_region_and_cluster_must_be_named(aws: ControlPlane, variable: str) -> None:
    """Without them the plugin would ask every region that there is, and for every cluster."""
    rest = {name: value for name, value in environment(aws).items() if name != variable}
    result = run("ansible-inventory", [AWS], "--list", **rest)
    assert result.returncode != 0
    assert "it must" in result.stderr
