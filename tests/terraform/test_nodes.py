"""Changes to single hosts of an applied cluster don't affect the others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.terraform.cluster import Cluster
from tests.terraform.workspace import Change

RESIZED = {"host_instance_types": {"mongo-2": "t3.xlarge"}}


@pytest.fixture(scope="module")
def cluster(new_cluster: Callable[..., Cluster]) -> Cluster:
    cluster = new_cluster()
    cluster.workspace.apply(cluster.variables)
    return cluster


def test_a_new_image_replaces_nothing(cluster: Cluster) -> None:
    """In reality there is a newer image every few weeks; here an older one, because the newest is deregistered."""
    images = _images(cluster)
    assert len(set(images.values())) == 1
    cluster.aws.client("ec2").deregister_image(ImageId=images["mongo-1"])
    assert cluster.workspace.plan(cluster.variables) == []


def _images(cluster: Cluster) -> dict[str, str]:
    return {name: instance["ImageId"] for name, instance in cluster.instances().items()}


def test_resizing_a_host_changes_only_that_host(cluster: Cluster) -> None:
    resized = cluster.workspace.plan(cluster.variables | RESIZED)
    assert resized == [Change('aws_instance.host["mongo-2"]', ("update",))]


def test_a_terminated_host_is_recreated(cluster: Cluster) -> None:
    """With the same name, addresses and data volume, but with the latest image."""
    before, images = cluster.workspace.outputs()["hosts"], _images(cluster)
    cluster.aws.client("ec2").terminate_instances(InstanceIds=[before["mongo-3"]["instance_id"]])
    assert set(cluster.workspace.plan(cluster.variables)) == {
        Change('aws_instance.host["mongo-3"]', ("create",)),
        Change('aws_eip_association.host["mongo-3"]', ("create",)),
        Change('aws_volume_attachment.data["mongo-3"]', ("create",)),
    }

    cluster.workspace.apply(cluster.variables | RESIZED)  # both at once, because provider 3.39.0 waits long
    after = cluster.workspace.outputs()["hosts"]
    assert after["mongo-3"].pop("instance_id") != before["mongo-3"].pop("instance_id")
    assert after["mongo-2"].pop("instance_type") == "t3.xlarge"
    del before["mongo-2"]["instance_type"]
    assert after == before
    assert cluster.instances()["mongo-2"]["InstanceType"] == "t3.xlarge"
    assert [name for name, image in _images(cluster).items() if image != images[name]] == ["mongo-3"]
    assert cluster.workspace.plan(cluster.variables | RESIZED) == []
