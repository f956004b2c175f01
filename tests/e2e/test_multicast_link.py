"""`pacserve.discovery.multicast` with real sockets, interfaces and a switch."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import Host, Lab, sh, wait_until

# Arguments: what to say, the interfaces separated by commas, and the groups.  Prints all that happens.
STATION = """
import sys
from ipaddress import ip_address
from twisted.internet import reactor
from pacserve.discovery.link import LANListener
from pacserve.discovery.multicast import Kernel, MulticastLink, MulticastSettings
from pacserve.network.machine import interfaces, suspended

class Printing(LANListener):
    def datagram_received(self, payload, source):
        print("heard", payload.decode(), "from", source, flush=True)
        if payload == b"break":
            raise RuntimeError("a defect of the listener")

    def network_changed(self):
        print("changed", flush=True)

def say():
    reactor.callLater(0.2, say)
    for version in (4, 6):
        link.send(f"{word}{version}".encode(), version)

word, names, *groups = sys.argv[1:]
settings = MulticastSettings([ip_address(group) for group in groups], 15679, names.split(",") if names else [])
link = MulticastLink(settings, Kernel(interfaces, suspended), reactor, reactor)
link.start(Printing())
print("started", flush=True)
say()
reactor.run()
"""

# Sends each of its arguments, ADDRESS=LENGTH or ADDRESS=TEXT, once by eth0.
KNOCK = """
import socket, sys
index = socket.if_nametoindex("eth0")
for argument in sys.argv[1:]:
    address, _, text = argument.partition("=")
    payload = b"x" * int(text) if text.isdigit() else text.encode()
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as knocker:
        if ":" in address:
            knocker.sendto(payload, (address, 15679, 0, index))
        else:
            knocker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, bytes(8) + index.to_bytes(4, sys.byteorder))
            knocker.sendto(payload, (address, 15679))
"""

EVERYONE = ("224.0.0.1", "ff02::1")
_NUMBERS = itertools.count(1)


class Station:
    """A link on a host that says something five times a second."""

    def __init__(self, host: Host, word: str, names: str = "", groups: tuple[str, ...] = EVERYONE) -> None:
        self.log = host.dir / "log" / f"station{next(_NUMBERS)}.out"  # no daemon's log: a station has defects on purpose
        self.process = host.spawn([sys.executable, "-c", STATION, word, names, *groups], log=self.log, env={"PYTHONPATH": str(Path.cwd())})
        wait_until(lambda: "started" in self.text() or self.process.poll() is not None, "a station", 20)
        assert self.process.poll() is None, self.text()

    def text(self) -> str:
        """All that happened."""
        return self.log.read_text()

    def hears(self, pattern: str, seconds: float = 5) -> None:
        """Waits until it hears something, in addition to what it heard before."""
        known = len(self.text())
        wait_until(lambda: re.search(f"^heard {pattern}$", self.text()[known:], re.MULTILINE), f"{pattern} in\n{self.text()}", seconds)

    def stop(self) -> None:
        """Ends it."""
        self.process.kill()
        self.process.wait()


Start = Callable[..., Station]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts stations, which are ended after the test."""
    stations: list[Station] = []

    def make(host: Host, word: str, names: str = "", groups: tuple[str, ...] = EVERYONE) -> Station:
        stations.append(Station(host, word, names, groups))
        return stations[-1]

    yield make
    for station in stations:
        station.stop()


@pytest.fixture
def lan(make_lab: MakeLab) -> Lab:
    """Two hosts without any route but those to their own networks."""
    lab = make_lab()
    for host in lab.hosts:
        host.run("ip route del default")
        host.run("ip route del 224.0.0.0/4")
    return lab


def cable(lab: Lab, name: str) -> None:
    """Joins two hosts by a second cable, as 10.99.0.1 and 10.99.0.2."""
    first, second = lab.hosts
    sh(f"ip -n {first.netns} link add {name} type veth peer name {name} netns {second.netns}")
    for host in lab.hosts:
        sh(f"ip -n {host.netns} link set {name} up")
        sh(f"ip -n {host.netns} addr add 10.99.0.{host.number}/24 dev {name}")


@pytest.mark.parametrize("groups", [EVERYONE, ("224.0.0.251", "239.255.15.67", "ff12::1567")], ids=["default", "others"])
def test_no_route(lan: Lab, start: Start, groups: tuple[str, ...]) -> None:
    """Hosts hear each other by IPv4 and by IPv6 without a route, from addresses of the network that they share."""
    first, second = (start(host, host.name, groups=groups) for host in lan.hosts)
    first.hears(r"h2[46] from 10\.77\.0\.12")
    first.hears(r"h26 from fd77::c")
    second.hears(r"h14 from 10\.77\.0\.11")
    second.hears(r"h16 from fd77::b")


def test_link_local(lan: Lab, start: Start) -> None:
    """A host that has only a link-local address is heard, and the address has the zone of who hears it."""
    for host in lan.hosts:
        host.run("ip addr flush dev eth0 scope global")
    start(lan.hosts[0], "first")
    start(lan.hosts[1], "second").hears(r"first6 from fe80::77:ff:fe00:1%eth0")


def test_two_on_one_host(lan: Lab, start: Start) -> None:
    """Links on one host share the port: each hears the other, itself and the LAN."""
    one, two = start(lan.hosts[0], "one"), start(lan.hosts[0], "two")
    start(lan.hosts[1], "far")
    for station in (one, two):
        for word in ("one", "two", "far"):
            station.hears(rf"{word}4 from 10\.77\.0\.1[12]")
            station.hears(rf"{word}6 from fd77::[bc]")


def test_what_is_ignored(lan: Lab, start: Start) -> None:
    """Unicast and what is too long are not heard; neither they nor a defect of the listener end the hearing."""
    first, second = lan.hosts
    station = start(first, "first")
    refused = [f"{first.ip}=unicast", f"{first.ip6}=unicast", "224.0.0.1=1025", "ff02::1=1025", "224.0.0.1=9000", "224.0.0.2=stranger"]
    second.run([sys.executable, "-c", KNOCK, *refused, "224.0.0.1=break", "ff02::1=break", "224.0.0.1=1024", "ff02::1=1024"])
    wait_until(lambda: len(re.findall("heard x{1024} from", station.text())) == 2, "two long datagrams")
    assert station.text().count("heard break") == 2
    assert not re.search("unicast|stranger|x{1025}", station.text())


def test_interface_added(lan: Lab, start: Start) -> None:
    """An interface that comes and one that goes are noticed within 5 s."""
    first, second = (start(host, host.name) for host in lan.hosts)
    cable(lan, "late0")
    second.hears(r"h14 from 10\.99\.0\.1")
    first.hears(r"h26 from fe80::.*%late0")
    wait_until(lambda: "changed" in first.text(), "a change")
    known = len(first.text())
    lan.hosts[0].run("ip link del late0")
    wait_until(lambda: "changed" in first.text()[known:], "another change", 5)
    first.hears(r"h24 from 10\.77\.0\.12")


def test_interface_not_in_use(lan: Lab, start: Start) -> None:
    """With names, other interfaces are neither heard nor sent on."""
    cable(lan, "other0")
    both, one = start(lan.hosts[0], "both"), start(lan.hosts[1], "one", "eth0")
    both.hears("one4 from .*")
    one.hears("both6 from .*")
    assert set(re.findall(r"from (\S+)", one.text())) == {"10.77.0.11", "fd77::b", "10.77.0.12", "fd77::c"}
    assert not re.search(r"one. from (10\.99|fe80)", both.text())


def test_no_ipv6(make_lab: MakeLab, start: Start) -> None:
    """Hosts without IPv6 hear each other by IPv4."""
    lab = make_lab(ipv6=False)
    start(lab.hosts[0], "first")
    start(lab.hosts[1], "second").hears(r"first4 from 10\.77\.0\.11")


def test_port_in_use(lan: Lab) -> None:
    """A port that somebody else does not share ends the start with a line that says so."""
    host = lan.hosts[0]
    script = f"import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('', 15679))\n{STATION}"
    done: subprocess.CompletedProcess[str] = host.run(
        ["env", f"PYTHONPATH={Path.cwd()}", sys.executable, "-c", script, "x", "", *EVERYONE], check=False
    )
    assert "StartError: UDP port 15679 is in use by a program that does not share it" in done.stderr
