"""
A LAN of pacman hosts on one machine.

::

    h1 .. hN ---- [switch in PREFIX-lan] ---- router ---- (shaped) ---- PREFIX-wan
    10.77.0.1x          10.77.0.1           10.78.0.1   rate, RTT     10.78.0.2, 198.51.100.2
    fd77::1x             fd77::1                                      nginx mirrors

Nothing is attached to the machine's real network, and nothing is written outside the lab's folder.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.lab.host import Host
from tests.e2e.lab.mirror import Mirror, Site
from tests.e2e.lab.namespace import Namespace, remove_networks, sh, wait_until


class Lab:
    """
    The LAN, its router, the WAN link and the mirror.

    Args:
        prefix: Keeps labs apart.  What a killed lab of the same prefix left behind is removed first.
        keyring: A GnuPG home that pacman trusts.
        sites: What the mirror serves.
        wan_mbit: The rate of the WAN link; 0 leaves it unshaped.
        rtt_ms: The round-trip time of the WAN link.
        snooping: The switch forwards multicast only to members; `"stale"` is a switch that forgets its members after 3 s.
    """

    def __init__(
        self,
        directory: Path,
        prefix: str,
        keyring: Path,
        sites: Sequence[Site] = (),
        *,
        hosts: int = 2,
        wan_mbit: float = 0,
        rtt_ms: float = 0,
        snooping: bool | str = True,
        ipv6: bool = True,
    ) -> None:
        self.dir, self.prefix = directory.resolve(), prefix
        self._keyring, self._sites = keyring, tuple(sites)
        self._wan_mbit, self._rtt_ms, self._snooping, self._ipv6 = wan_mbit, rtt_ms, snooping, ipv6
        self.lan = Namespace(prefix, "lan", self.dir / "lan")
        self.mirror = Mirror(prefix, "wan", self.dir / "wan")
        self.hosts = [Host(prefix, number, self.dir / f"h{number}") for number in range(1, hosts + 1)]

    def __enter__(self) -> Self:
        try:
            self._up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.down()

    def down(self) -> None:
        """Ends everything in the lab and removes its namespaces; harmless when there is nothing to remove."""
        known = sh("ip netns list", check=False).stdout.splitlines()
        remove_networks([line.split()[0] for line in known if line.startswith(f"{self.prefix}-")])
        for space in (self.lan, self.mirror, *self.hosts):
            space.remove()

    def _up(self) -> None:
        self.down()
        for space in (self.lan, self.mirror, *self.hosts):
            space.create()
        self._wire_lan()
        self._wire_wan()
        names = "".join(f"{host.ip} {host.name}\n{host.ip6} {host.name}\n" for host in self.hosts)
        for host in self.hosts:
            host.prepare(self._keyring)
            host.path("/etc/hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{names}")
            host.path("/etc/resolv.conf").write_text("")
        if self._sites:
            self.mirror.start(self._sites)

    def _wire_lan(self) -> None:
        ip = f"ip -n {self.lan.netns}"
        sh(f"{ip} link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping {int(bool(self._snooping))}")
        sh(f"{ip} addr add 10.77.0.1/24 dev br0")
        self.lan.run("sysctl -qw net.ipv4.ip_forward=1")
        if self._snooping == "stale":  # believes that it has a querier
            sh(f"{ip} link set br0 type bridge mcast_querier 1 mcast_membership_interval 300 "
               "mcast_query_interval 60000 mcast_startup_query_interval 60000")  # fmt: skip
        if self._ipv6:
            sh(f"{ip} addr add fd77::1/64 dev br0 nodad")
        sh(f"{ip} link set br0 up")
        for host in self.hosts:
            sh(f"{ip} link add {host.port} type veth peer name eth0 netns {host.netns}")
            sh(f"{ip} link set {host.port} master br0 up")
            host.run(f"sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.disable_ipv6={int(not self._ipv6)}")
            inside = f"ip -n {host.netns}"
            sh(f"{inside} link set eth0 address 02:77:00:00:00:{host.number:02x} up")
            sh(f"{inside} addr add {host.ip}/24 brd + dev eth0")
            if self._ipv6:
                sh(f"{inside} addr add {host.ip6}/64 dev eth0 nodad")
            sh(f"{inside} route add default via 10.77.0.1")
            sh(f"{inside} route add 224.0.0.0/4 dev eth0")

    def _wire_wan(self) -> None:
        lan, wan = self.lan.netns, self.mirror.netns
        if self._rtt_ms:
            program = Path(__file__).with_name("delaylink.py")
            self.lan.spawn([sys.executable, str(program), str(self.mirror.pid), str(self._rtt_ms)], log=self.lan.dir / "delaylink.log")
            wait_until(lambda: not sh(f"ip -n {wan} link show eth0", check=False).returncode, "the WAN link")
        else:
            sh(f"ip -n {lan} link add wan0 type veth peer name eth0 netns {wan}")
        for netns, device, address in ((lan, "wan0", "10.78.0.1"), (wan, "eth0", Mirror.ip)):
            sh(f"ip -n {netns} addr add {address}/30 dev {device}")
            sh(f"ip -n {netns} link set {device} up")
            if self._wan_mbit:
                _limit(netns, device, self._wan_mbit)
        sh(f"ip -n {wan} addr add {Mirror.public_ip}/32 dev eth0")
        sh(f"ip -n {lan} route add {Mirror.public_ip}/32 via {Mirror.ip}")
        sh(f"ip -n {wan} route add default via 10.78.0.1")

    def limit_sending(self, host: Host, mbit: float) -> None:
        """Limits the rate at which a host sends."""
        _limit(host.netns, "eth0", mbit)

    def unplug(self, host: Host, *, plugged: bool = False) -> None:
        """Pulls a host's cable, or puts it in again.  Connecting to it hangs, and fails after some 3 s for each address family."""
        sh(f"ip -n {self.lan.netns} link set {host.port} {'up' if plugged else 'down'}")

    def blackhole(self, host: Host) -> None:
        """Makes a host answer ARP and drop everything else, as a machine does whose firewall drops or whose kernel hangs."""
        host.run(["nft", "add table inet lab; add chain inet lab in { type filter hook input priority 0; policy drop; };"
                         "add rule inet lab in iifname lo accept"])  # fmt: skip


def _limit(netns: str, device: str, mbit: float) -> None:
    burst = max(16_000, int(mbit * 1e6 / 8 * 0.01))  # 10 ms worth, but at least a few packets
    sh(f"tc -n {netns} qdisc add dev {device} root tbf rate {mbit}mbit burst {burst} latency 60ms")
