"""Who is answered: this host, the LAN, the outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.lab import Daemon, Depot, Lab, Mirror

NAME = "pkg00-1.0.0-1-x86_64.pkg.tar.zst"
REQUEST, PACKAGE, INFO = f"/request/core/x86_64/{NAME}", f"/package/{NAME}", "/info"
LAN_PATHS = (PACKAGE, f"{PACKAGE}/data", INFO)


Start = Callable[..., Daemon]


@pytest.fixture
def start(lab: Lab, depot: Depot) -> Iterator[Start]:
    """Starts a daemon that holds everything on the first host, with further options, and stops it in the end."""
    depot.settled()
    running: list[Daemon] = []

    def begin(*options: str) -> Daemon:
        running.append(Daemon(lab.hosts[0], "--cache-dir", str(depot.folder()), *options))
        return running[-1]

    yield begin
    for daemon in running:
        daemon.stop()


def test_this_host(lab: Lab, start: Start) -> None:
    """This host may ask for everything, by each of its own addresses, IPv4 and IPv6."""
    start()
    host = lab.hosts[0]
    for address in ("127.0.0.1", "127.0.0.2", "::1", host.ip, host.ip6):
        for target in (REQUEST, *LAN_PATHS):
            assert host.request(target, address).status == 200, (target, address)


@pytest.mark.parametrize("family", ["ip", "ip6"])
def test_other_host(lab: Lab, start: Start, family: str) -> None:
    """Another host of the LAN may ask for packages and inventory, and not for what pacman asks."""
    start()
    host, other = lab.hosts
    address = getattr(host, family)
    for target in LAN_PATHS:
        assert other.request(target, address).status == 200, target
    refused = other.request(REQUEST, address)
    assert refused.status == 403
    assert len(refused.body) < 1000
    assert other.request("/", address).status in (403, 404)


def test_clients(lab: Lab, start: Start) -> None:
    """`--clients` opens /request to its networks and to nobody else."""
    start("--clients", "10.77.0.12/32", "--clients", "2001:db8::/32")
    host, other = lab.hosts
    assert other.request(REQUEST, host.ip).status == 200
    assert other.request(REQUEST, host.ip6).status == 403
    assert lab.lan.request(REQUEST, host.ip).status == 403
    assert host.request(REQUEST).status == 200


def test_outside(lab: Lab, start: Start) -> None:
    """Who comes from the Internet is answered nothing but 403; a private address counts as the LAN."""
    start()
    host = lab.hosts[0]
    for target in (REQUEST, *LAN_PATHS, "/", "/absent"):
        answer = lab.mirror.request(target, host.ip, source=Mirror.public_ip)
        assert answer.status in ((403, 404) if target in ("/", "/absent") else (403,)), target
    assert lab.mirror.request(PACKAGE, host.ip, source=Mirror.ip).status == 200
    assert lab.mirror.request(REQUEST, host.ip, source=Mirror.ip).status == 403


@pytest.mark.parametrize("option", ["--peers=198.51.100.0/24", f"--pacserver={Mirror.public_ip}"])
def test_peers_outside(lab: Lab, start: Start, option: str) -> None:
    """`--peers`, and being a static peer, opens packages and inventory to who is outside, and not /request."""
    start(option)
    host = lab.hosts[0]
    for target in LAN_PATHS:
        assert lab.mirror.request(target, host.ip, source=Mirror.public_ip).status == 200, target
    assert lab.mirror.request(REQUEST, host.ip, source=Mirror.public_ip).status == 403


def test_headers_grant_nothing(lab: Lab, start: Start) -> None:
    """What a client says of where it comes from is not believed."""
    start()
    claims = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Real-IP": "127.0.0.1", "Host": "localhost"}
    for host in (lab.hosts[0].ip, lab.hosts[0].ip6):
        assert lab.hosts[1].request(REQUEST, host, headers=claims).status == 403
    assert lab.mirror.request(PACKAGE, lab.hosts[0].ip, source=Mirror.public_ip, headers=claims).status == 403


def test_bind(lab: Lab, depot: Depot) -> None:
    """`--bind` listens on the given addresses alone."""
    host, other = lab.hosts
    daemon = Daemon(host, "--bind", "127.0.0.1", "--bind", host.ip6, "--cache-dir", str(depot.folder()))
    assert host.request("/info").status == 200
    assert other.request("/info", host.ip6).status == 200
    for client, address in ((other, host.ip), (host, "::1")):
        with pytest.raises(ConnectionRefusedError):
            client.request("/info", address)
    daemon.stop()
