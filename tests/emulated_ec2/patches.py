"""Where moto 5.2.5 differs from EC2, and what is put in its place.

Each function stands before one of moto's, which it gets as `moto`; its docstring says what AWS does. Only the
server's process calls `apply`, before it serves, and it answers one request at a time.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any

from moto.core.responses import BaseResponse
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError
from moto.ec2.models import ec2_backends, elastic_ip_addresses, elastic_network_interfaces
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.instances import Instance
from moto.ec2.models.security_groups import SecurityGroupBackend

#: Public addresses come from here: TEST-NET-2 of RFC 5737, which nobody on the internet has.
PUBLIC_POOL = IPv4Network("198.51.100.0/24")


@dataclass
class Changes:
    """Counts the requests that may have changed something, so that a follower needn't compare the whole state."""

    count: int = 0


def apply() -> Changes:
    """Mends moto, in this process, and returns the count of changes from now on."""
    _replace(Instance, "security_groups", property(_groups, _set_groups))
    _replace(NetworkInterface, "group_set", property(lambda interface: interface._group_set))
    mend(SecurityGroupBackend, "_delete_security_group", _delete_unused_group)
    mend(Instance, "prep_nics", _prepare_interfaces)

    pool = _unused_addresses()
    _replace(elastic_ip_addresses, "random_ip", pool.__next__)
    _replace(elastic_network_interfaces, "random_public_ip", pool.__next__)
    for name in ("start", "stop"):
        mend(NetworkInterface, name, _keep_elastic_address)
    mend(ElasticAddressBackend, "associate_address", _associate_address)
    mend(NetworkInterface, "delete", _delete_interface)

    for name, mended in (("start", _start), ("stop", _stop), ("terminate", _terminate), ("reboot", _reboot)):
        mend(Instance, name, mended)
    mend(EBSBackend, "attach_volume", _attach_volume)

    changes = Changes()
    mend(BaseResponse, "call_action", functools.partial(_call_and_count, changes))
    return changes


def _replace(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)


def mend(owner: Any, name: str, mended: Callable[..., Any]) -> None:
    """Puts a function before one of moto's, which becomes its first argument."""
    moto = getattr(owner, name)

    @functools.wraps(moto)
    def method(*args: Any, **kwargs: Any) -> Any:
        return mended(moto, *args, **kwargs)

    _replace(owner, name, method)


# -- security groups


def _groups(instance: Any) -> Any:
    """An instance's groups are those of its primary interface; moto's are empty when they came with an interface."""
    interfaces = getattr(instance, "nics", None)
    return interfaces[0]._group_set if interfaces else instance._groups_at_launch


def _set_groups(instance: Any, groups: list[Any]) -> None:
    if interfaces := getattr(instance, "nics", None):
        interfaces[0]._group_set = groups
    else:
        instance._groups_at_launch = groups


def _delete_unused_group(moto: Any, backend: Any, vpc_id: str | None, group_id: str) -> None:
    """A group that an interface has, or that another group's rule names, can't be deleted."""
    attached = any(group.id == group_id for interface in backend.enis.values() for group in interface.group_set)
    named = any(
        (rule.source_group or {}).get("GroupId") == group_id
        for groups in backend.groups.values()
        for group in groups.values()
        if group.id != group_id
        for rule in [*group.ingress_rules, *group.egress_rules]
    )
    if attached or named:
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    moto(backend, vpc_id, group_id)


# -- interfaces and public addresses


def _prepare_interfaces(moto: Any, instance: Any, nic_spec: list[dict[str, Any]], *args: Any, **kwargs: Any) -> None:
    """An interface that RunInstances makes is deleted with its instance, unless the request says otherwise."""
    nic_spec = nic_spec or [{"DeviceIndex": 0}]
    for interface in nic_spec:
        interface.setdefault("DeleteOnTermination", "NetworkInterfaceId" not in interface)
    moto(instance, nic_spec, *args, **kwargs)


def backends() -> list[Any]:
    """EC2 of every account and region."""
    return [backend for account in ec2_backends.values() for backend in account.values()]


def _unused_addresses() -> Iterator[str]:
    """Public addresses are routed; these are, by the emulation. One that was released isn't given out again at once."""
    for address in itertools.cycle(map(str, PUBLIC_POOL.hosts())):
        used = {elastic.public_ip for backend in backends() for elastic in backend.addresses}
        if address not in used.union(nic.public_ip for backend in backends() for nic in backend.enis.values()):
            yield address


def _elastic_address(interface: Any) -> Any:
    return next((address for address in interface.ec2_backend.addresses if address.eni is interface), None)


def _keep_elastic_address(moto: Any, interface: Any) -> None:
    """Stopping an instance gives its public address up, but not an Elastic IP."""
    if not _elastic_address(interface):
        moto(interface)


def _associate_address(moto: Any, backend: Any, instance: Any = None, eni: Any = None, **kwargs: Any) -> Any:
    """An Elastic IP belongs to an interface, and leaves the one that it belonged to before."""
    wanted = eni or instance.nics[0]
    address = moto(backend, instance=instance, eni=eni, **kwargs)
    address.eni, address.instance = wanted, wanted.instance
    for interface in backend.enis.values():
        if interface is not wanted and interface.public_ip == address.public_ip:
            interface.public_ip = None
    return address


def _delete_interface(moto: Any, interface: Any) -> None:
    """With the interface goes the association of its Elastic IP; the address stays allocated."""
    if address := _elastic_address(interface):
        interface.ec2_backend.disassociate_address(address=address.public_ip)
    interface.public_ip = None
    moto(interface)


# -- instances and volumes


def _start(moto: Any, instance: Any) -> Any:
    """Only a stopped instance can be started; with one that is running already there is nothing to do."""
    if instance.state in ("pending", "running"):
        return copy.copy(instance._state)
    return _unless(("stopping", "shutting-down", "terminated"), moto, instance)


def _stop(moto: Any, instance: Any) -> Any:
    """With an instance that is stopped already there is nothing to do; one that is terminated can't be stopped."""
    if instance.state in ("stopping", "stopped"):
        return copy.copy(instance._state)
    return _unless(("shutting-down", "terminated"), moto, instance)


def _reboot(moto: Any, instance: Any) -> Any:
    """Only a running instance can be rebooted."""
    return _unless(("stopping", "stopped", "shutting-down", "terminated"), moto, instance)


def _terminate(moto: Any, instance: Any) -> Any:
    """Terminating twice is no error."""
    return copy.copy(instance._state) if instance.state in ("shutting-down", "terminated") else moto(instance)


def _unless(states: tuple[str, ...], moto: Any, instance: Any) -> Any:
    if instance.state in states:
        raise EC2ClientError("IncorrectInstanceState", f"The instance '{instance.id}' is {instance.state}.")
    return moto(instance)


def _attach_volume(moto: Any, backend: Any, volume_id: str, instance_id: str, device_path: str, *args: Any) -> Any:
    """A volume is attached to one living instance of its own zone, under a device name that is free there."""
    volume, instance = backend.get_volume(volume_id), backend.get_instance(instance_id)
    if volume.attachment:
        raise EC2ClientError("VolumeInUse", f"{volume_id} is already attached to an instance")
    if volume.zone.name != instance.availability_zone:
        message = f"The volume '{volume_id}' is not in the same availability zone as instance '{instance_id}'"
        raise EC2ClientError("InvalidVolume.ZoneMismatch", message)
    if instance.state not in ("pending", "running", "stopped"):
        raise EC2ClientError("IncorrectState", f"Instance '{instance_id}' is not 'running'.")
    if device_path in instance.block_device_mapping:
        raise EC2ClientError("InvalidParameterValue", f"Attachment point {device_path} is already in use")
    return moto(backend, volume_id, instance_id, device_path, *args)


# -- following


def _call_and_count(changes: Changes, moto: Any, response: Any) -> Any:
    """No difference to AWS: the emulation wants to know when to look."""
    try:
        return moto(response)
    finally:
        # After the call: who sees the new count finds the new state.
        if not str(response._get_action()).startswith(("Describe", "Get", "List", "Head")):
            changes.count += 1
