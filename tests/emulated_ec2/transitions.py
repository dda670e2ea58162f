"""Transitions that take time on EC2 but not in moto: instances boot, stop and terminate, volumes attach and detach.

With machines, a transition begins with the request and ends when the machine reports it.
"""

from __future__ import annotations

import copy
import functools
from typing import Any

from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.models.instances import Instance

from tests.emulated_ec2.patches import backends, patch

#: Codes of the states of an instance, as in EC2's InstanceState.
_STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
#: A machine's reports, and the state in which each counts: another request may have come meanwhile.
_REPORTS = {
    "running": "pending",
    "stopped": "stopping",
    "terminated": "shutting-down",
    "attached": "attaching",
    "detached": "detaching",
}

_terminate = Instance.terminate  # moto's own


def apply() -> None:
    """Patches moto in this process. Call it before `patches.apply`: its refusals must come before transitions begin."""
    patch(Instance, "__init__", _launch)
    patch(Instance, "start", functools.partial(_begin, "pending"))
    patch(Instance, "stop", functools.partial(_begin, "stopping"))
    patch(Instance, "terminate", _begin_termination)
    patch(EBSBackend, "attach_volume", _begin_attachment)
    patch(EBSBackend, "detach_volume", _begin_detachment)


def _launch(moto: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
    """An instance is pending until its machine is running."""
    moto(instance, *args, **kwargs)
    _set_state(instance, "pending")


def _begin(passing: str, moto: Any, instance: Any) -> Any:
    """Starting and stopping take time; moto does both immediately."""
    former = moto(instance)
    _set_state(instance, passing)
    return former


def _begin_termination(_moto: Any, instance: Any) -> Any:
    """An instance keeps its addresses and volumes until it is terminated; moto is called on the report."""
    former = copy.copy(instance._state)
    _set_state(instance, "shutting-down")
    return former


def _begin_attachment(moto: Any, backend: Any, volume_id: str, instance_id: str, device_path: str, *args: Any) -> Any:
    """A volume is attaching until the machine has it."""
    attachment = moto(backend, volume_id, instance_id, device_path, *args)
    if _is_on(attachment.instance) and device_path != attachment.instance.root_device_name:
        attachment.status = "attaching"
    return attachment


def _begin_detachment(moto: Any, backend: Any, volume_id: str, *args: Any) -> Any:
    """A volume is detaching until the machine releases it, which it can't while it is mounted."""
    attachment = backend.get_volume(volume_id).attachment
    if attachment is None or attachment.status == "detached" or not _is_on(attachment.instance):
        return moto(backend, volume_id, *args)
    attachment.status = "detaching"
    return attachment


def report(resource_id: str, state: str) -> None:
    """A machine's report: an instance is running, stopped or terminated; a volume is attached or detached."""
    for backend in backends():
        for instance in backend.all_instances():
            if instance.id == resource_id and instance.state == _REPORTS[state]:
                if state == "terminated":
                    _terminate(instance)
                _set_state(instance, state)
        attachment = getattr(backend.volumes.get(resource_id), "attachment", None)
        if attachment and attachment.status == _REPORTS[state]:
            attachment.status = state
            if state == "detached":
                backend.detach_volume(resource_id, attachment.instance.id, attachment.device)


def _is_on(instance: Any) -> bool:
    return instance.state in ("pending", "running")


def _set_state(instance: Any, name: str) -> None:
    instance._state.name, instance._state.code = name, _STATES[name]
