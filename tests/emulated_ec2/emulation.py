"""An emulated EC2: moto as control plane, and a system container for each instance.

    with EmulatedEc2() as aws:
        subprocess.run(["terraform", "apply"], env=os.environ | aws.environment())

The machines follow the control plane's state: pending instances boot, stopping ones shut down, and so on. Then this
reports to the control plane, which shows the instance as running, stopped or terminated. Connections come from this
machine: see the addresses in tests/emulated_ec2/network.py.

Not emulated: user data, the metadata service, RebootInstances, guests that shut themselves down, several VPCs with the
same addresses, rules with prefix lists, IPv6, encryption of volumes. IAM exists but isn't enforced.
"""

from __future__ import annotations

import socket
import sys
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

from ops import podman
from tests.emulated_ec2 import machines, state, volumes
from tests.emulated_ec2.control_plane import ControlPlane
from tests.emulated_ec2.machines import Machine
from tests.emulated_ec2.network import Network
from tests.emulated_ec2.shell import EmulationError
from tests.emulated_ec2.state import Instance, State

_POLL_SECONDS = 0.2  # between checks for changes


class EmulatedEc2(ControlPlane):
    """Context manager: the control plane and its machines, once per machine; everything is removed at the end.

    Raises:
        EmulationError: another one runs on this machine, or the machine can't run it. At the end: an instance
            couldn't be brought into the control plane's state.
    """

    def __init__(self, port: int = 0, region: str = "eu-central-1") -> None:
        super().__init__(port, region, machines=True)
        self._network = Network()
        self._machines: dict[str, Machine] = {}
        self._tasks: dict[str, Future[None]] = {}
        self._failed: dict[str, BaseException] = {}
        self._ending = Event()
        self._follower = Thread(target=self._follow, name="emulated-ec2")

    def __enter__(self) -> Self:
        self._only_one = _hold_name()
        try:
            podman.prepare()
            self._ami = machines.build_image()
            self._remove()
            self._network.up()
            super().__enter__()
            self._follower.start()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        if self._follower.is_alive():
            self._follower.join()
        super().__exit__(kind, error, trace)
        self._remove()
        self._only_one.close()
        if self._failed and error is None:
            raise EmulationError(f"failed: {', '.join(self._failed)}") from next(iter(self._failed.values()))

    def serve_directory(self, directory: Path) -> str:
        """Serves a directory on the emulated internet; returns its URL. See Network.serve_directory."""
        return self._network.serve_directory(directory)

    def serve_api(self) -> str:
        """The URL at which instances reach this API, as they reach S3. See Network.forward."""
        return self._network.forward(self._port)

    def _remove(self) -> None:
        machines.remove()
        volumes.remove()
        self._network.remove()

    # -- following the control plane

    def _follow(self) -> None:
        pool = ThreadPoolExecutor(4)
        try:
            ec2, seen = self.client("ec2"), -1
            while not self._ending.wait(_POLL_SECONDS):
                ended = [key for key, task in self._tasks.items() if task.done()]
                changes = self.changes()
                if changes != seen or ended:
                    seen = changes
                    for key in ended:
                        del self._tasks[key]
                    self._apply(state.read(ec2), pool)
        except Exception as error:
            traceback.print_exc()
            self._failed["the control plane's follower"] = error
        finally:
            pool.shutdown(cancel_futures=True)

    def _apply(self, current: State, pool: ThreadPoolExecutor) -> None:
        """Applies the filters, and starts tasks for instances that need them."""
        self._network.filter(current)  # first: nothing may be reachable without its filters
        volumes.delete_all_but(current.volumes)
        for instance in current.instances:
            if _has_work(instance) and instance.id not in self._tasks and instance.id not in self._failed:
                self._tasks[instance.id] = pool.submit(self._converge_or_fail, instance)

    def _converge_or_fail(self, instance: Instance) -> None:
        try:
            self._converge(instance)
        except volumes.BusyError:
            self._ending.wait(_POLL_SECONDS)  # then it is tried again
        except Exception as error:
            traceback.print_exc()
            self._failed[instance.id] = error

    def _converge(self, instance: Instance) -> None:
        """Brings the machine into the control plane's state, and reports it."""
        match instance.state:
            case "pending":
                self._boot(instance)
            case "running":
                self._plug(instance)
            case "stopping":
                self._machines[instance.id].shut_down()
                self._report_volumes(instance)  # including those that were mounted
                self.report(instance.id, "stopped")
            case "shutting-down":
                self._discard(instance)

    def _boot(self, instance: Instance) -> None:
        if instance.id not in self._machines:
            self._network.connect(instance)
            self._machines[instance.id] = Machine(instance, self._ami)
        self._machines[instance.id].boot(tuple(a for a in instance.attachments if a.state != "detaching"))
        self._report_volumes(instance)
        self.report(instance.id, "running")

    def _plug(self, instance: Instance) -> None:
        for attachment in instance.attachments:
            if attachment.state == "attaching":
                self._machines[instance.id].plug(attachment)
            elif attachment.state == "detaching":
                self._machines[instance.id].unplug(attachment.volume_id)
        self._report_volumes(instance)

    def _discard(self, instance: Instance) -> None:
        if machine := self._machines.get(instance.id):
            machine.shut_down()
            machine.discard()
            self._network.disconnect(instance.id)
            del self._machines[instance.id]
        self.report(instance.id, "terminated")

    def _report_volumes(self, instance: Instance) -> None:
        for attachment in instance.attachments:
            self.report(attachment.volume_id, "detached" if attachment.state == "detaching" else "attached")


def _has_work(instance: Instance) -> bool:
    passing = {attachment.state for attachment in instance.attachments} & {"attaching", "detaching"}
    return instance.state not in ("running", "stopped") or (instance.state == "running" and bool(passing))


def _hold_name() -> socket.socket:
    """An abstract socket name: only one process can have it, and the kernel frees it when the process ends."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind("\0emulated-ec2")
    except OSError as error:
        name.close()
        raise EmulationError("another emulated EC2 runs on this machine") from error
    return name
