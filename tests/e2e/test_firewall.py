"""contrib/iptables/pacserve-firewall in a network namespace of its own, with packets that really arrive or do not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

SCRIPT = Path(__file__).parents[2] / "contrib/iptables/pacserve-firewall"
OPENED = {"tcp4", "tcp6", "udp4", "udp6"}
IPTABLES: tuple[str, ...] = ()
NFTABLES = ("--nft", "inet filter input")

# Runs in the inside namespace: prints each datagram, until one says end.
LISTENER = """
import select, socket, struct
tcp = socket.create_server(("::", 15678), family=socket.AF_INET6, dualstack_ipv6=True)
udp4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp4.bind(("0.0.0.0", 15679))
udp4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("224.0.0.1") + socket.inet_aton("10.99.0.1"))
udp6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
udp6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
udp6.bind(("::", 15679))
index = struct.pack("@I", socket.if_nametoindex("eth0"))
udp6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, "ff02::1") + index)
print("ready", flush=True)
ended = False
# After the end only what is queued already.
while ready := select.select([tcp, udp4, udp6], [], [], 0 if ended else 30)[0]:
    for this in ready:
        if this is tcp:
            tcp.accept()[0].close()
        elif (text := this.recv(100).decode()) == "end":
            ended = True
        else:
            print(text)
"""

# Runs in the outside namespace: knocks at everything; says which connections were made.
KNOCKER = """
import socket, sys
for name, address in (("tcp4", "10.99.0.1"), ("tcp6", "fd99::1")):
    try:
        socket.create_connection((address, 15678), 0.4).close()
        print(name)
    except OSError:
        pass
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp4:
    udp4.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.99.0.2"))
    udp4.sendto(b"udp4", ("224.0.0.1", 15679))
    udp4.sendto(b"unicast4", ("10.99.0.1", 15679))
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp6:
    index = socket.if_nametoindex("eth0")
    udp6.sendto(b"udp6", ("ff02::1", 15679, 0, index))
    udp6.sendto(b"unicast6", ("fd99::1", 15679))
"""

END = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'end', ('127.0.0.1', 15679))"


class Wire:
    """Two namespaces joined by a cable; the firewall is in the inside one, and its default is to drop."""

    def __init__(self, prefix: str) -> None:
        self.inside, self.outside = f"{prefix}-in", f"{prefix}-out"

    def up(self) -> None:
        for namespace in (self.inside, self.outside):
            run("ip", "netns", "add", namespace)
        run("ip", "-n", self.inside, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", self.outside)
        for namespace, number in ((self.inside, 1), (self.outside, 2)):
            # Link-local addresses are usable at once.
            run(*self._within(namespace, "sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0"))
            run("ip", "-n", namespace, "link", "set", "lo", "up")
            run("ip", "-n", namespace, "link", "set", "eth0", "up")
            run("ip", "-n", namespace, "addr", "add", f"10.99.0.{number}/24", "dev", "eth0")
            run("ip", "-n", namespace, "addr", "add", f"fd99::{number}/64", "dev", "eth0", "nodad")

    def down(self) -> None:
        for namespace in (self.inside, self.outside):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)

    def drop_by_default(self) -> None:
        """Firewalls as people have them, once in each kind: only what keeps IPv6 and the loopback going is let in."""
        for tables, neighbours in (("iptables", "icmp"), ("ip6tables", "ipv6-icmp")):
            self.within(tables, "-A", "INPUT", "-i", "lo", "-j", "ACCEPT")
            self.within(tables, "-A", "INPUT", "-p", neighbours, "-j", "ACCEPT")
            self.within(tables, "-P", "INPUT", "DROP")

    def drop_by_default_in_nftables(self) -> None:
        self.within(
            "nft", "table inet filter { chain input { type filter hook input priority 0; policy drop; iif lo accept; meta l4proto icmpv6 accept; }; }"
        )

    def firewall(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The script in the inside namespace."""
        return subprocess.run(self._within(self.inside, SCRIPT, *words), check=False, capture_output=True, text=True)

    def within(self, *words: str) -> str:
        """A command in the inside namespace, and its output."""
        return run(*self._within(self.inside, *words))

    def rules(self) -> str:
        """All rules of the inside namespace, without counters."""
        return self.within("iptables", "-S") + self.within("ip6tables", "-S") + self.within("nft", "--stateless", "list", "ruleset")

    def arrives(self) -> set[str]:
        """
        What gets through of tcp4, tcp6, udp4, udp6 (multicast) and unicast4, unicast6 (the same UDP port, to an address of the host).
        """
        with subprocess.Popen(self._within(self.inside, sys.executable, "-c", LISTENER), stdout=subprocess.PIPE, text=True) as listener:
            try:
                assert listener.stdout is not None
                assert listener.stdout.readline() == "ready\n"
                connected = run(*self._within(self.outside, sys.executable, "-c", KNOCKER)).split()
                # A cable of this kind has no delay: what was sent before this has been delivered or dropped.
                self.within(sys.executable, "-c", END)
                return {*connected, *listener.stdout.read().split()}
            finally:
                listener.kill()

    @staticmethod
    def _within(namespace: str, *words: object) -> list[str]:
        return ["ip", "netns", "exec", namespace, *map(str, words)]


def run(*words: str) -> str:
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


@pytest.fixture
def wire() -> Iterator[Wire]:
    this = Wire(f"psfw{os.getpid()}")
    this.down()
    try:
        this.up()
        yield this
    finally:
        this.down()


@pytest.fixture(params=[IPTABLES, NFTABLES], ids=["iptables", "nftables"])
def kind(request: pytest.FixtureRequest, wire: Wire) -> tuple[str, ...]:
    """The options that choose the kind of firewall, which drops by default."""
    kind: tuple[str, ...] = request.param
    if kind == NFTABLES:
        wire.drop_by_default_in_nftables()
    else:
        wire.drop_by_default()
    return kind


def test_cable(wire: Wire) -> None:
    """Without a firewall everything arrives: what the other tests miss was dropped by a rule."""
    assert wire.arrives() == {*OPENED, "unicast4", "unicast6"}


def test_add_and_remove(wire: Wire, kind: tuple[str, ...]) -> None:
    """HTTP and multicast are dropped before add, let in after it, and dropped after remove; UDP that is not multicast is never let in."""
    assert wire.arrives() == set()
    done = wire.firewall("add", *kind)
    assert (done.returncode, done.stderr) == (0, "")
    assert wire.arrives() == OPENED
    done = wire.firewall("remove", *kind)
    assert (done.returncode, done.stderr) == (0, "")
    assert wire.arrives() == set()


def test_nothing_left(wire: Wire, kind: tuple[str, ...]) -> None:
    """Adding twice is adding once, and one remove takes back all of it and no rule of others; a further one does nothing."""
    before = wire.rules()
    assert wire.firewall("add", *kind).returncode == 0
    once = wire.rules()
    assert once != before
    assert wire.firewall("add", *kind).returncode == 0
    assert wire.rules() == once
    assert wire.firewall("remove", *kind).returncode == 0
    assert wire.rules() == before
    assert wire.firewall("remove", *kind).returncode == 0
    assert wire.rules() == before


@pytest.mark.parametrize(
    ("networks", "arriving"),
    [
        (["10.99.0.0/24"], {"tcp4", "udp4"}),
        (["fd99::/64"], {"tcp6"}),
        (["fd99::/64", "fe80::/10"], {"tcp6", "udp6"}),
        (["10.98.0.0/24", "fd98::/64"], set()),
        (["10.98.0.0/24", "10.99.0.2", "fe80::/10"], {"tcp4", "udp4", "udp6"}),
    ],
    ids=lambda names: " ".join(sorted(names)),
)
def test_networks(wire: Wire, kind: tuple[str, ...], networks: list[str], arriving: set[str]) -> None:
    """With --from only the named networks are let in, and a later add replaces what an earlier one let in."""
    assert wire.firewall("add", *kind).returncode == 0
    done = wire.firewall("add", *kind, *(word for network in networks for word in ("--from", network)))
    assert (done.returncode, done.stderr) == (0, "")
    assert wire.arrives() == arriving


def test_other_ports(wire: Wire, kind: tuple[str, ...]) -> None:
    """Ports that are named take the place of the usual ones."""
    assert wire.firewall("add", *kind, "--port", "15680").returncode == 0
    assert wire.arrives() == {"udp4", "udp6"}
    assert wire.firewall("add", *kind, "--multicast-port", "15681").returncode == 0
    assert wire.arrives() == {"tcp4", "tcp6"}


def test_refused_network(wire: Wire, kind: tuple[str, ...]) -> None:
    """What the kernel's tool does not take is an error, and the rules stay as they were."""
    assert wire.firewall("add", *kind).returncode == 0
    before = wire.rules()
    done = wire.firewall("add", *kind, "--from", "10.99.0.0/99")
    assert done.returncode == 1
    assert "refused the rules" in done.stderr
    assert wire.rules() == before


def test_missing_chain(wire: Wire) -> None:
    """Without the nftables chain that was named, the message names the ones that would do."""
    wire.within("nft", "add table inet mine; add chain inet mine incoming { type filter hook input priority 0; }")
    done = wire.firewall("add", *NFTABLES)
    assert done.returncode == 1
    assert "--nft 'inet mine incoming'" in done.stderr
    assert "there is no chain 'inet filter input'" in done.stderr
