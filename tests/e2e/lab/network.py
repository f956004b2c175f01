"""
A LAN of pacman hosts on one machine.

::

    h1 .. hN ---- [switch in PREFIX-lan] ---- router ---- (shaped) ---- PREFIX-wan
    10.77.0.1x          10.77.0.1           10.78.0.1   rate, RTT     10.78.0.2, 198.51.100.2
    fd77::1x             fd77::1                                      nginx mirrors
                                  |
                                  |------------ (link of its own) ---- PREFIX-m1, PREFIX-m2 .. behind one another or not
                               10.78.N.1                               10.78.N.2, 203.0.113.N: further mirrors

Nothing is attached to the machine's real network, and nothing is written outside the lab's folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.lab.host import Host
from tests.e2e.lab.link import Link, limit_rate
from tests.e2e.lab.mirror import Mirror, Site
from tests.e2e.lab.namespace import Namespace, remove_networks, sh


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

    Attributes:
        mirror: The mirror that is always there; `mirrors` those that were added.
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
        self._wan, self._snooping, self._ipv6 = Link(wan_mbit, rtt_ms), snooping, ipv6
        self.lan = Namespace(prefix, "lan", self.dir / "lan")
        self.mirror = Mirror(prefix, "wan", self.dir / "wan")
        self.mirrors: list[Mirror] = []
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
        for space in (self.lan, self.mirror, *self.mirrors, *self.hosts):
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
        self._wan.lay(self.lan, "wan0", self.mirror)
        self._connect(self.mirror, self.lan, "wan0", self._wan)

    def _connect(self, mirror: Mirror, gateway: Namespace, device: str, link: Link) -> None:
        """Gives both ends of a link that has been laid their addresses, rates and routes; the gateway's end is `device`."""
        here, there = gateway.netns, mirror.netns
        for netns, name, address in ((here, device, mirror.gateway), (there, "eth0", mirror.ip)):
            sh(f"ip -n {netns} addr add {address}/30 dev {name}")
            sh(f"ip -n {netns} link set {name} up")
            if link.mbit:
                limit_rate(netns, name, link.mbit)
        sh(f"ip -n {there} addr add {mirror.public_ip}/32 dev eth0")
        sh(f"ip -n {here} route add {mirror.public_ip}/32 via {mirror.ip}")
        # As most servers have it; a machine whose own default is another one would give other figures where packets are lost.
        sh(f"ip -n {there} route add default via {mirror.gateway} congctl cubic")

    def add_mirror(self, link: Link, site: Site, *, behind: Mirror | None = None) -> Mirror:
        """
        Returns a further mirror out in the Internet, which has started.

        Args:
            link: The way to it.
            behind: A mirror whose own way all of it takes, too: both share one bottleneck.
        """
        number = len(self.mirrors) + 1
        mirror = Mirror(self.prefix, f"m{number}", self.dir / f"m{number}", number)
        self.mirrors.append(mirror)
        mirror.create()
        gateway, device = behind or self.lan, f"wan{number}"
        link.lay(gateway, device, mirror)
        self._connect(mirror, gateway, device, link)
        if behind is not None:
            behind.run("sysctl -qw net.ipv4.ip_forward=1")
            sh(f"ip -n {self.lan.netns} route add {mirror.public_ip}/32 via {behind.ip}")
        mirror.start((site,))
        return mirror

    def limit_sending(self, host: Host, mbit: float) -> None:
        """Limits the rate at which a host sends."""
        limit_rate(host.netns, "eth0", mbit)

    def limit_port(self, host: Host, mbit: float) -> None:
        """Gives a host's cable and its port of the switch a rate, in both directions."""
        self.limit_sending(host, mbit)
        limit_rate(self.lan.netns, host.port, mbit)

    def change_rate(self, mirror: Mirror, mbit: float) -> None:
        """Gives a mirror's sending another rate from now on."""
        limit_rate(mirror.netns, "eth0", mbit)

    def unplug(self, host: Host, *, plugged: bool = False) -> None:
        """Pulls a host's cable, or puts it in again.  Connecting to it hangs, and fails after some 3 s for each address family."""
        sh(f"ip -n {self.lan.netns} link set {host.port} {'up' if plugged else 'down'}")

    def blackhole(self, space: Namespace) -> None:
        """Makes a host or mirror answer ARP and drop everything else, as a machine does whose firewall drops or whose kernel hangs."""
        space.run(["nft", "add table inet lab; add chain inet lab in { type filter hook input priority 0; policy drop; };"
                         "add rule inet lab in iifname lo accept"])  # fmt: skip
