"""A LAN in network namespaces, for multicast, which the loopback does not carry."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.servers import SkippedError
from tests.e2e.lab.namespace import Namespace, sh

DEVICE = "eth0"
# Bits of the hosts' network.
_LENGTH = 16


class Host(Namespace):
    """
    A machine of the LAN.

    Attributes:
        address: Its IPv4 address; `address6` is its IPv6 address.
        port: The name of its port on the switch.
    """

    def __init__(self, prefix: str, number: int, folder: Path) -> None:
        super().__init__(prefix, f"h{number}", folder / f"h{number}")
        self.address, self.address6 = f"10.79.0.{number}", f"fd79::{number:x}"
        self.number, self.port = number, f"p{number}"


class Network:
    """
    Hosts on a switch, each in a network namespace of its own, that can reach only each other.

    Attributes:
        hosts: The hosts; each has one interface, `DEVICE`, with an address of each IP version.
    """

    def __init__(self, folder: Path, hosts: int) -> None:
        prefix = f"pacbench{os.getpid()}"
        self._switch = Namespace(prefix, "switch", folder / "switch")
        self.hosts = [Host(prefix, number, folder) for number in range(1, hosts + 1)]

    def create(self) -> None:
        """
        Makes the network.

        Raises:
            SkippedError: The user is not root.
        """
        if os.geteuid() != 0:
            raise SkippedError("needs root, for network namespaces")
        self._switch.create()
        ip = f"ip -n {self._switch.netns}"
        sh(f"{ip} link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0")
        sh(f"{ip} link set br0 up")
        for host in self.hosts:
            host.create()
            sh(f"{ip} link add {host.port} type veth peer name {DEVICE} netns {host.netns}")
            sh(f"{ip} link set {host.port} master br0 up")
            inside = f"ip -n {host.netns}"
            sh(f"{inside} link set {DEVICE} up")
            sh(f"{inside} addr add {host.address}/{_LENGTH} brd + dev {DEVICE}")
            sh(f"{inside} addr add {host.address6}/64 dev {DEVICE} nodad")

    def remove(self) -> None:
        """Ends the processes in the namespaces, and removes these; harmless if there is nothing to remove."""
        for space in (*self.hosts, self._switch):
            space.remove()
