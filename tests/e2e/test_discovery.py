"""Daemons that find each other by multicast."""

from __future__ import annotations

import json
import re
import signal
import sys
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import MIRROR, PORT, Daemon, Depot, Host, Lab, Program, command, sh, wait_until
from tests.e2e.lab.slowness import limit

# Seconds in which the hosts of a LAN are to know each other, twice what is promised: the machine is shared.
KNOWN_WITHIN = 2 * 5.0
# Seconds in which a peer that returns is to be used again, likewise.
BACK_WITHIN = 2 * 10.0
# Seconds between announcements, where a test waits for some of them.
INTERVAL = 2.0
QUICK = ("--multicast", "--multicast-interval", str(INTERVAL))

# Its threads stay: a process that one of them has started ends with it.
_STARTERS = ThreadPoolExecutor(30)

_LINE = re.compile(r"(?<!\S)(\S+:[0-9]+)(?: \(\S+\))? (holds|is asked|does not answer|is not used|has gone)")

# Sends datagrams to a group by an interface, from as many made-up addresses as are asked for.  Arguments: how many, and the first three parts of the
# addresses; each datagram announces another instance.
FORGER = """
import json, socket, struct, sys
count, network = int(sys.argv[1]), sys.argv[2]
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth0", 0))
mac = wire.getsockname()[4]

def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF

for number in range(count):
    text = json.dumps({"pacserve": 1, "kind": "hello", "instance": f"{number:032x}", "port": 15678, "generation": 1, "arch": ["x86_64"]}).encode()
    source = socket.inet_aton(f"{network}.{number // 250 % 250}.{1 + number % 250}")
    group = socket.inet_aton("224.0.0.1")
    udp = struct.pack("!HHHH", 15679, 15679, 8 + len(text), 0) + text
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 1, 17, 0, source, group)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    try:
        wire.send(bytes.fromhex("01005e000001") + mac + b"\\x08\\x00" + head + udp)
    except OSError:
        pass
"""

# Sends its arguments to the group.  Each is TEXT, or a number of bytes.
KNOCK = """
import socket, struct, sys
knocker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
knocker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", bytes(4), bytes(4), socket.if_nametoindex("eth0")))
for argument in sys.argv[1:]:
    payload = bytes(int(argument)) if argument.isdigit() else argument.encode()
    knocker.sendto(payload, ("224.0.0.1", 15679))
"""


def known(daemon: Daemon) -> set[str]:
    """The peers that a daemon uses, by its log."""
    peers: set[str] = set()
    for endpoint, event in _LINE.findall(daemon.text()):
        (peers.add if event in ("holds", "is asked") else peers.discard)(endpoint)
    return peers


def at(*hosts: Host, port: int = PORT) -> set[str]:
    """Where hosts listen, by IPv4."""
    return {f"{host.ip}:{port}" for host in hosts}


def knows(daemon: Daemon, peers: set[str], seconds: float = KNOWN_WITHIN) -> None:
    """Waits until a daemon uses exactly these peers."""
    try:
        wait_until(lambda: known(daemon) == peers, "peers", seconds)
    except TimeoutError as error:
        raise TimeoutError(f"{sorted(peers)} should be known, but {sorted(known(daemon))} are") from error


def start(hosts: Sequence[Host], *arguments: str) -> list[Daemon]:
    """Starts a daemon on each host, all at once."""
    return list(_STARTERS.map(lambda host: Daemon(host, *(arguments or ("--multicast",))), hosts))


def count(host: Host, *what: str) -> None:
    """Counts the packets of these kinds that a host sends from now on."""
    rules = "; ".join(f"add rule inet count out {kind} counter" for kind in what)
    host.run(["nft", f"add table inet count; add chain inet count out {{ type filter hook output priority 0; }}; {rules}"])


def counted(host: Host) -> list[int]:
    """How many packets of each kind were sent."""
    return [int(packets) for packets in re.findall(r"counter packets (\d+)", host.run("nft list chain inet count out").stdout)]


def know_each_other(hosts: Sequence[Host], daemons: Collection[Daemon], seconds: float = KNOWN_WITHIN) -> None:
    """Waits until each of the daemons uses all others."""
    deadline = time.monotonic() + limit(seconds)
    for host, daemon in zip(hosts, daemons, strict=True):
        knows(daemon, at(*hosts) - at(host), max(0.0, deadline - time.monotonic()))


@pytest.mark.alone  # thirty daemons that start at once leave no CPU for others
def test_thirty_hosts(make_lab: MakeLab, depot: Depot) -> None:
    """Thirty hosts that are started at once all know each other within five seconds."""
    lab = make_lab(hosts=30)
    daemons = start(lab.hosts, "--multicast", "--cache-dir", str(depot.folder()))
    know_each_other(lab.hosts, daemons)
    for daemon in daemons[:3]:
        daemon.stop()


def test_names(make_lab: MakeLab) -> None:
    """Hosts tell their names: those that a host finds when it starts are one line of its log, and `/status` has the names beside the addresses."""
    lab = make_lab(hosts=4)
    host, *others = lab.hosts
    names = ["nas", "laptop", ""]
    daemons = [Daemon(other, "--multicast", "--host-name", name) for other, name in zip(others, names, strict=True)]
    know_each_other(others, daemons)
    daemon = Daemon(host, "--multicast")
    knows(daemon, at(*others))
    (line,) = re.findall(r"\[info\] (3 machines found: .*)", daemon.text())
    for other, name in zip(others, names, strict=True):
        assert f"{other.ip}:{PORT} ({name}) holds " in line if name else f"{other.ip}:{PORT} holds " in line
    told = {peer["address"]: peer["host_name"] for peer in json.loads(host.request("/status").body)["peers"]}
    assert told == {f"{other.ip}:{PORT}": name for other, name in zip(others, names, strict=True)}
    for one in (daemon, *daemons):
        one.stop()


@pytest.mark.parametrize("snooping", [True, False, "stale"])
def test_switches(make_lab: MakeLab, snooping: bool | str) -> None:
    """Eight hosts find each other whatever the switch does with multicast; one that forgets its members loses nobody who comes later."""
    lab = make_lab(hosts=8, snooping=snooping)
    early, late = lab.hosts[:7], lab.hosts[7]
    daemons = start(early)
    know_each_other(early, daemons)
    time.sleep(5 if snooping == "stale" else 0)  # its memberships have been aged out by then
    daemons.append(Daemon(late, "--multicast"))
    know_each_other(lab.hosts, daemons)
    daemons[-1].stop()


def test_ipv6_only(lab: Lab) -> None:
    """Hosts without IPv4 find each other, and pacman is sent to an address of the LAN."""
    host, other = lab.hosts
    for each in lab.hosts:
        each.run("ip -4 addr flush dev eth0")
    daemons = start(lab.hosts)
    knows(daemons[0], {f"[{other.ip6}]:{PORT}"})
    knows(daemons[1], {f"[{host.ip6}]:{PORT}"})


def test_link_local_only(lab: Lab, depot: Depot) -> None:
    """Hosts that have nothing but link-local addresses find each other, and pacman is sent there with the zone."""
    host, other = lab.hosts
    depot.settled()
    host.configure(servers=[MIRROR])
    host.pacman("-Sy")  # what no database states would need a mirror
    host.configure()
    for each in lab.hosts:
        each.run("ip -4 addr flush dev eth0")
        each.run("ip -6 addr flush dev eth0 scope global")
    daemon = Daemon(host, "--multicast")
    peer = Daemon(other, "--multicast", "--cache-dir", str(depot.folder()))
    daemon.wait_for(r"\[fe80::\S+%eth0\]:15678 .*holds [1-9]", KNOWN_WITHIN)
    answer = host.request("/request/core/x86_64/pkg00-1.0.0-1-x86_64.pkg.tar.zst")
    assert answer.status == 307
    assert re.match(r"http://\[fe80::[0-9a-f:]+%25eth0\]:15678/package/", answer.headers["location"])
    peer.stop()
    daemon.stop()


def test_no_default_route(make_lab: MakeLab) -> None:
    """Hosts that have no route but that to their own network find each other."""
    lab = make_lab(hosts=3)
    for host in lab.hosts:
        host.run("ip route del default")
        host.run("ip route del 224.0.0.0/4")
    daemons = start(lab.hosts)
    know_each_other(lab.hosts, daemons)


def test_two_lans(make_lab: MakeLab) -> None:
    """A host with two interfaces knows the peers of both LANs, which know nothing of each other."""
    lab = make_lab(hosts=4)
    left, both, right, _ = lab.hosts
    lab.unplug(right)
    right.run("ip addr flush dev eth0")
    sh(f"ip -n {both.netns} link add eth1 type veth peer name eth1 netns {right.netns}")
    for host in (both, right):
        sh(f"ip -n {host.netns} link set eth1 up")
        sh(f"ip -n {host.netns} addr add 10.99.0.{host.number}/24 brd + dev eth1")
    daemons = start((left, both, right))
    knows(daemons[0], at(both))
    knows(daemons[1], {*at(left), f"10.99.0.{right.number}:{PORT}"})
    knows(daemons[2], {f"10.99.0.{both.number}:{PORT}"})


def test_two_on_one_machine(lab: Lab) -> None:
    """Two daemons of one machine share the UDP port and know each other, and a host knows both."""
    host, other = lab.hosts
    daemons = start(lab.hosts)
    second = Program(host, command("--multicast", "--port", "15680"), host.dir / "log" / "second.log", 15680)
    knows(daemons[0], at(other) | at(host, port=15680))
    knows(daemons[1], at(host) | at(host, port=15680))
    second.wait_for(rf"{host.ip}:{PORT} .*holds")
    second.wait_for(rf"{other.ip}:{PORT} .*holds")


def test_goodbye(make_lab: MakeLab) -> None:
    """A host that is shut down is gone at once; one that is killed within three intervals."""
    lab = make_lab(hosts=3)
    _host, leaving, dying = lab.hosts
    daemon, left, killed = start(lab.hosts, *QUICK)
    know_each_other(lab.hosts, (daemon, left, killed))
    left.stop()
    knows(daemon, at(dying), 2 * 2.0)
    killed.kill()
    daemon.wait_for(f"peer {dying.ip}:{PORT} .*has gone", 2 * 3 * INTERVAL)
    again = Daemon(leaving, *QUICK)
    knows(daemon, at(leaving), BACK_WITHIN)
    again.stop()
    daemon.stop()


def test_frozen(lab: Lab) -> None:
    """A host that hangs is found dead, and used again soon after it goes on."""
    _, other = lab.hosts
    daemon, peer = start(lab.hosts, *QUICK)
    knows(daemon, at(other))
    peer.freeze()
    knows(daemon, set(), 2 * (INTERVAL + 5.0))
    peer.process.send_signal(signal.SIGCONT)
    knows(daemon, at(other), BACK_WITHIN)


def test_unplugged(lab: Lab) -> None:
    """A host whose cable was pulled is used again within ten seconds after it was put in."""
    _, other = lab.hosts
    daemon, _ = start(lab.hosts, *QUICK)
    knows(daemon, at(other))
    lab.unplug(other)
    knows(daemon, set(), 2 * (INTERVAL + 5.0))
    lab.unplug(other, plugged=True)
    knows(daemon, at(other), BACK_WITHIN)


def test_roaming(lab: Lab) -> None:
    """A host that gets another address is known by that one soon, and knows its peers again."""
    host, other = lab.hosts
    daemon, peer = start(lab.hosts)
    knows(daemon, at(other))
    other.run(f"ip addr del {other.ip}/24 dev eth0")
    other.run("ip addr add 10.77.0.99/24 brd + dev eth0")
    wait_until(lambda: f"10.77.0.99:{PORT}" in known(daemon), "the new address", 2 * 5.0)
    knows(peer, at(host))


def test_multicast_lost(lab: Lab) -> None:
    """Hosts that know each other go on to do so when multicast does not get through any more."""
    host, other = lab.hosts
    daemon, peer = start(lab.hosts, *QUICK)
    know_each_other(lab.hosts, (daemon, peer))
    deaf = "add table inet deaf; add chain inet deaf in { type filter hook input priority 0; }; add rule inet deaf in udp dport 15679 drop"
    for each in lab.hosts:
        each.run(["nft", deaf])
    time.sleep(5 * INTERVAL)
    assert known(daemon) == at(other)
    assert known(peer) == at(host)


def test_filtered(make_lab: MakeLab) -> None:
    """A host that is filtered is never contacted."""
    lab = make_lab(hosts=3)
    host, wanted, unwanted = lab.hosts
    count(host, f"ip daddr {unwanted.ip} tcp flags syn / syn,ack", f"ip6 daddr {unwanted.ip6} tcp flags syn / syn,ack")
    daemons = start((wanted, unwanted), *QUICK)
    daemon = Daemon(host, *QUICK, "--multicast-filter", rf"x:^{re.escape(unwanted.ip)}:")
    knows(daemon, at(wanted))
    knows(daemons[1], at(host, wanted))
    time.sleep(3 * INTERVAL)
    assert known(daemon) == at(wanted)
    assert counted(host) == [0, 0]
    daemons[1].stop()


def test_forged_goodbye(lab: Lab) -> None:
    """A goodbye that somebody else has made parts nobody."""
    host, other = lab.hosts
    daemon, _ = start(lab.hosts)
    knows(daemon, at(other))
    instance = re.search(r'"instance":"([0-9a-f]{32})"', host.request("/info", other.ip).body.decode())
    assert instance is not None
    text = f'{{"pacserve":1,"kind":"bye","instance":"{instance[1]}","port":15678,"generation":1,"arch":["x86_64"]}}'
    other.run([sys.executable, "-c", KNOCK, *[text] * 20])
    time.sleep(3)
    assert known(daemon) == at(other)
    assert "has gone" not in daemon.text()


def test_junk(lab: Lab) -> None:
    """Datagrams of junk, cut off, huge or of another version's kind are no matter, and leave the log quiet."""
    _, other = lab.hosts
    daemon, _ = start(lab.hosts)
    knows(daemon, at(other))
    lines = len(daemon.text().splitlines())
    good = '{"pacserve":1,"kind":"here","instance":"' + "1" * 32 + '","port":15678,"generation":1,"arch":["x86_64"]}'
    junk = ["0", "1", "1400", "60000", "x", "{}", "[" * 900, good[:50], good.replace("here", "later"), good.replace('"port":15678', '"port":22')]
    for _ in range(20):
        other.run([sys.executable, "-c", KNOCK, *junk])
    time.sleep(1)
    assert known(daemon) == at(other)
    assert len(daemon.text().splitlines()) == lines
    daemon.stop()


# A daemon whose announcements have a receive buffer of 208 KiB, as large as most kernels give.
SMALL_BUFFER = """
import sys
from pacserve.discovery import sockets
sockets.RECEIVE_BUFFER = 104 << 10  # the kernel doubles it
from pacserve.cli.pacserve import main
sys.exit(main())
"""


def test_burst(make_lab: MakeLab) -> None:
    """What is lost of a burst of a thousand datagrams, because a busy host takes none, costs one more interval."""
    lab = make_lab(hosts=3)
    host, other, forger = lab.hosts
    words = [sys.executable, "-c", SMALL_BUFFER, *QUICK]
    daemon = Program(host, words, host.dir / "log" / "pacserve.log", PORT)
    time.sleep(1)
    daemon.freeze()
    forger.run([sys.executable, "-c", FORGER, "1000", "10.77"])
    peer = Daemon(other, *QUICK)
    time.sleep(2.5)  # until it has said hello twice
    assert int(host.run("nstat -asz UdpRcvbufErrors").stdout.split()[-2]) > 0
    daemon.process.send_signal(signal.SIGCONT)
    daemon.wait_for(f"{other.ip}:{PORT} .*holds", 2 * (INTERVAL + 2.0))
    peer.stop()


def test_forged_sources(make_lab: MakeLab) -> None:
    """Ten thousand forged hosts take no memory worth speaking of, part nobody, and nobody outside of the LAN is asked."""
    lab = make_lab(hosts=3)
    host, other, forger = lab.hosts
    count(host, "ip daddr 198.51.0.0/16", "ip daddr 10.77.0.0/16 tcp flags syn / syn,ack")
    daemon, _ = start((host, other), *QUICK)
    knows(daemon, at(other))
    before = daemon.memory()
    forger.run([sys.executable, "-c", FORGER, "10000", "198.51"])
    forger.run([sys.executable, "-c", FORGER, "10000", "10.77"])
    assert host.request("/info").status == 200
    time.sleep(3 * INTERVAL)
    assert known(daemon) == at(other)
    assert daemon.memory() - before < 30 << 20
    outside, inside = counted(host)
    assert outside == 0
    assert inside < 2000  # of those that might have been hosts of the LAN some were asked
    daemon.stop()
