"""Patches for moto 5.2.5 where it differs from EC2.

Each function wraps one of moto's, which it gets as `moto`; its docstring says what AWS does. Only the server's process
calls `apply`, before it serves requests, which it does one at a time.
"""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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

from tests.emulated_ec2 import calls

#: Public addresses are from TEST-NET-2 (RFC 5737), which nobody on the internet uses.
PUBLIC_POOL = IPv4Network("198.51.100.0/24")


@dataclass
class Changes:
    """The number of requests that may have changed something, so that nobody needs to compare the whole state.

    `calls` describes them as `calls.call` does, for tests of IAM policies.
    """

    count: int = 0
    calls: list[dict[str, Any]] = field(default_factory=list)


def apply() -> Changes:
    """Patches moto in this process and returns the counter of changes."""
    _replace(Instance, "security_groups", property(_groups, _set_groups))
    _replace(NetworkInterface, "group_set", property(lambda interface: interface._group_set))
    patch(SecurityGroupBackend, "_delete_security_group", _delete_unused_group)
    patch(Instance, "prep_nics", _prepare_interfaces)

    pool = _unused_addresses()
    _replace(elastic_ip_addresses, "random_ip", pool.__next__)
    _replace(elastic_network_interfaces, "random_public_ip", pool.__next__)
    for name in ("start", "stop"):
        patch(NetworkInterface, name, _keep_elastic_address)
    patch(ElasticAddressBackend, "associate_address", _associate_address)
    patch(NetworkInterface, "delete", _delete_interface)

    for name, patched in (("start", _start), ("stop", _stop), ("terminate", _terminate), ("reboot", _reboot)):
        patch(Instance, name, patched)
    patch(EBSBackend, "attach_volume", _attach_volume)

    changes = Changes()
    patch(BaseResponse, "call_action", functools.partial(_call_and_count, changes))
    return changes


def _replace(owner: Any, name: str, value: Any) -> None:
    setattr(owner, name, value)


def patch(owner: Any, name: str, patched: Callable[..., Any]) -> None:
    """Wraps one of moto's functions, which becomes the first argument."""
    moto = getattr(owner, name)

    @functools.wraps(moto)
    def method(*args: Any, **kwargs: Any) -> Any:
        return patched(moto, *args, **kwargs)

    _replace(owner, name, method)


# -- security groups


def _groups(instance: Any) -> Any:
    """An instance's groups are its primary interface's; moto's are empty if they were given for the interface."""
    interfaces = getattr(instance, "nics", None)
    return interfaces[0]._group_set if interfaces else instance._groups_at_launch


def _set_groups(instance: Any, groups: list[Any]) -> None:
    if interfaces := getattr(instance, "nics", None):
        interfaces[0]._group_set = groups
    else:
        instance._groups_at_launch = groups


def _delete_unused_group(moto: Any, backend: Any, vpc_id: str | None, group_id: str) -> None:
    """A group in use by an interface or by another group's rule can't be deleted."""
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
    """An interface created by RunInstances is deleted with its instance, unless the request says otherwise."""
    nic_spec = nic_spec or [{"DeviceIndex": 0}]
    for interface in nic_spec:
        interface.setdefault("DeleteOnTermination", "NetworkInterfaceId" not in interface)
    moto(instance, nic_spec, *args, **kwargs)


def backends() -> list[Any]:
    """moto's EC2 backends for all accounts and regions."""
    return [backend for account in ec2_backends.values() for backend in account.values()]


def _unused_addresses() -> Iterator[str]:
    """Public addresses that the emulation routes. Released ones aren't reused immediately."""
    for address in itertools.cycle(map(str, PUBLIC_POOL.hosts())):
        used = {elastic.public_ip for backend in backends() for elastic in backend.addresses}
        if address not in used.union(nic.public_ip for backend in backends() for nic in backend.enis.values()):
            yield address


def _elastic_address(interface: Any) -> Any:
    return next((address for address in interface.ec2_backend.addresses if address.eni is interface), None)


def _keep_elastic_address(moto: Any, interface: Any) -> None:
    """Stopping an instance releases its public address, but not an Elastic IP."""
    if not _elastic_address(interface):
        moto(interface)


def _associate_address(moto: Any, backend: Any, instance: Any = None, eni: Any = None, **kwargs: Any) -> Any:
    """An Elastic IP belongs to one interface, and is removed from the previous one."""
    wanted = eni or instance.nics[0]
    address = moto(backend, instance=instance, eni=eni, **kwargs)
    address.eni, address.instance = wanted, wanted.instance
    for interface in backend.enis.values():
        if interface is not wanted and interface.public_ip == address.public_ip:
            interface.public_ip = None
    return address


def _delete_interface(moto: Any, interface: Any) -> None:
    """Deleting an interface disassociates its Elastic IP; the address stays allocated."""
    if address := _elastic_address(interface):
        interface.ec2_backend.disassociate_address(address=address.public_ip)
    interface.public_ip = None
    moto(interface)


# -- instances and volumes


def _start(moto: Any, instance: Any) -> Any:
    """Only a stopped instance can be started; starting a running one has no effect."""
    if instance.state in ("pending", "running"):
        return copy.copy(instance._state)
    return _unless(("stopping", "shutting-down", "terminated"), moto, instance)


def _stop(moto: Any, instance: Any) -> Any:
    """Stopping a stopped instance has no effect; a terminated one can't be stopped."""
    if instance.state in ("stopping", "stopped"):
        return copy.copy(instance._state)
    return _unless(("shutting-down", "terminated"), moto, instance)


def _reboot(moto: Any, instance: Any) -> Any:
    """Only a running instance can be rebooted."""
    return _unless(("stopping", "stopped", "shutting-down", "terminated"), moto, instance)


def _terminate(moto: Any, instance: Any) -> Any:
    """Terminating an instance again has no effect."""
    return copy.copy(instance._state) if instance.state in ("shutting-down", "terminated") else moto(instance)


def _unless(states: tuple[str, ...], moto: Any, instance: Any) -> Any:
    if instance.state in states:
        raise EC2ClientError("IncorrectInstanceState", f"The instance '{instance.id}' is {instance.state}.")
    return moto(instance)


def _attach_volume(moto: Any, backend: Any, volume_id: str, instance_id: str, device_path: str, *args: Any) -> Any:
    """A volume can be attached to one instance in its zone, under an unused device name."""
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
    """Not a difference: tells the emulation when to check for changes, and tests what was asked for."""
    changing = not str(response._get_action()).startswith(("Describe", "Get", "List", "Head"))
    if changing and (call := calls.call(response)):
        changes.calls.append(call)
    try:
        return moto(response)
    finally:
        # After the call, so that the new count implies the new state.
        changes.count += changing
