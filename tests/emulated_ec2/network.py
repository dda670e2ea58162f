"""The network: a namespace that routes between the instances, and its link to this machine and the internet.

    this machine --- emulated-ec2-in | outside --- [emulated-ec2-vpc] --- i-... | ens5 --- [emulated-ec2-i-...]
    198.18.51.1, .10, .20 ...          .254          10.20.1.1                    10.20.1.11

Each instance has its own link to the router, which answers ARP for all others as a VPC does, so every packet passes the
filters. All of it is in namespaces, except for one link and one nftables table.
"""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler
from ipaddress import IPv4Network
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

from tests.emulated_ec2 import filters
from tests.emulated_ec2.filters import OUTSIDE, TABLE
from tests.emulated_ec2.patches import PUBLIC_POOL
from tests.emulated_ec2.shell import PREFIX, EmulationError, root
from tests.emulated_ec2.state import Instance, State

#: The emulated internet, with addresses from RFC 2544 (tests of network devices). They all belong to this machine.
INTERNET = IPv4Network("198.18.51.0/24")
_GATEWAY = INTERNET[1]
#: The source of connections to Elastic IPs, unless the socket is bound to another of these.
ADMINISTRATOR = str(INTERNET[10])
#: A user at home.
PUBLIC = str(INTERNET[20])
#: Another company's office.
OFFICE = str(INTERNET[30])
#: `serve_directory`'s address.
SERVER = str(INTERNET[80])
#: `forward`'s address.
API = str(INTERNET[90])
_ROUTER = INTERNET[254]

_VPC = f"{PREFIX}vpc"
_LINK = f"{PREFIX}in"
_MTU = 1400  # some machines' links allow no more


def namespace(instance_id: str) -> str:
    """The name of an instance's network namespace; filters are elsewhere, so the instance's root can't change them."""
    return f"{PREFIX}{instance_id}"


class Network:
    """The emulated network. `remove` also removes what an earlier process left."""

    def __init__(self) -> None:
        self._servers: list[_Server] = []

    def up(self) -> None:
        """Creates the router and its link to this machine. Raises EmulationError."""
        _ip(f"netns add {_VPC}", f"link add {_LINK} mtu {_MTU} type veth peer name {OUTSIDE} netns {_VPC}")
        _set(_VPC, "ip_forward=1")
        _ip(
            "link set lo up",
            f"addr add {_ROUTER}/{INTERNET.prefixlen} dev {OUTSIDE}",
            f"link set {OUTSIDE} mtu {_MTU} up",
            f"route add default via {_GATEWAY}",
            "route add unreachable 169.254.0.0/16",
            netns=_VPC,
        )
        _ip(
            f"addr add {_GATEWAY}/{INTERNET.prefixlen} dev {_LINK}",
            *[f"addr add {address}/32 dev {_LINK}" for address in (ADMINISTRATOR, PUBLIC, OFFICE, SERVER, API)],
            f"link set {_LINK} up",
            f"route add {PUBLIC_POOL} via {_ROUTER} src {ADMINISTRATOR}",
        )
        root("sysctl", "-q", "net.ipv4.ip_forward=1")  # as podman does for its own networks
        self._to_internet(web_port=None)

    def remove(self) -> None:
        """Removes everything that `up` and `connect` created, if it exists."""
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers.clear()
        if f"{_LINK}@" in root("ip", "-brief", "link"):
            root("ip", "link", "delete", _LINK)
        for name in re.findall(rf"^{PREFIX}\S+", root("ip", "netns", "list"), re.MULTILINE):
            root("ip", "netns", "delete", name)
        root("nft", "--file", "-", stdin=f"table {TABLE} {{}}\ndelete table {TABLE}\n")

    def connect(self, instance: Instance) -> None:
        """Creates the instance's namespace with its address and link to the router. Raises EmulationError."""
        subnet = IPv4Network(instance.subnet)
        own, name, router = namespace(instance.id), filters.interface(instance.id), subnet[1]
        _ip(f"netns add {own}", f"link add {name} mtu {_MTU} netns {_VPC} type veth peer name ens5 netns {own}")
        _ip(
            f"addr replace {router}/32 dev lo",
            f"link set {name} up",
            f"route replace {instance.private_address}/32 dev {name}",
            netns=_VPC,
        )
        # Instances send ARP requests for each other; the router answers them all, without delay.
        _set(_VPC, f"conf.{name}.proxy_arp=1", f"neigh.{name}.proxy_delay=0")
        _ip(
            "link set lo up",
            f"addr add {instance.private_address}/{subnet.prefixlen} dev ens5",
            f"link set ens5 mtu {_MTU} up",
            f"route add default via {router}",
            netns=own,
        )

    def disconnect(self, instance_id: str) -> None:
        """Removes the instance's namespace and link."""
        root("ip", "netns", "delete", namespace(instance_id))

    def filter(self, state: State) -> None:
        """Applies security groups and public addresses. Raises EmulationError."""
        text = filters.ruleset(state, _nameserver())
        root("ip", "netns", "exec", _VPC, "nft", "--file", "-", stdin=text)

    def serve_directory(self, directory: Path) -> str:
        """Serves a directory on the emulated internet, on port 80; returns its URL. One directory at a time.

        Instances reach it from their public address if their security groups allow egress to port 80.
        """
        handler = partial(_QuietHandler, directory=str(directory))
        server = _Server((SERVER, 0), handler)
        Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        self._to_internet(web_port=server.server_address[1])
        return f"http://{SERVER}"

    def forward(self, port: int) -> str:
        """Lets instances reach a port of this machine's loopback interface, as 443 without TLS; returns the URL."""
        server = _Server((API, 443), partial(_Forwarder, port=port))
        Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return f"http://{API}:443"

    def _to_internet(self, web_port: int | None) -> None:
        """Instances reach the internet from this machine's address; SERVER's port 80 is the web server's, if any."""
        redirect = f"ip daddr {SERVER} tcp dport 80 dnat to {SERVER}:{web_port}" if web_port else ""
        sources = f"{{ {PUBLIC_POOL}, {_ROUTER} }}"
        text = f"""
table {TABLE} {{}}
delete table {TABLE}
table {TABLE} {{
  chain prerouting {{ type nat hook prerouting priority dstnat; {redirect}
  }}
  chain output {{ type nat hook output priority -100; {redirect}
  }}
  chain postrouting {{ type nat hook postrouting priority srcnat; oifname != "{_LINK}" ip saddr {sources} masquerade
  }}
}}
"""
        root("nft", "--file", "-", stdin=text)


class _Server(ThreadingTCPServer):  # http.server's looks up its own name in the DNS, which may take long
    allow_reuse_address = True  # connections of a run just before may still be closing
    daemon_threads = True


class _Forwarder(BaseRequestHandler):
    """Passes on what a connection sends, in both directions."""

    def __init__(self, *arguments: Any, port: int) -> None:
        self._port = port
        super().__init__(*arguments)

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port)) as served:
            back = Thread(target=_pump, args=(served, self.request))
            back.start()
            _pump(self.request, served)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(2**16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """No line per request."""


def _ip(*commands: str, netns: str | None = None) -> None:
    """Runs ip(8) commands in order, in a network namespace or this machine's own."""
    root("ip", *(["-n", netns] if netns else []), "-batch", "-", stdin="\n".join(commands) + "\n")


def _set(netns: str, *settings: str) -> None:
    """Sets net.ipv4 parameters in a network namespace."""
    root("ip", "netns", "exec", netns, "sysctl", "-q", *[f"net.ipv4.{setting}" for setting in settings])


def _nameserver() -> str:
    """This machine's first resolver that other network namespaces can reach."""
    for file in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        for address in re.findall(r"^nameserver\s+([\d.]+)", file.read_text() if file.exists() else "", re.MULTILINE):
            if not address.startswith("127."):
                return str(address)
    raise EmulationError("/etc/resolv.conf has no resolver with an IPv4 address other than loopback")
