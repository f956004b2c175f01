"""`pacman -U URL` of this daemon, where the packages are at a peer."""

from __future__ import annotations

from collections.abc import Sequence

from tests.e2e.conftest import MakeLab
from tests.e2e.lab import PORT, Daemon, Depot, Host, small_packages

NAMES = small_packages()[:4]


def urls(depot: Depot, names: Sequence[str]) -> list[str]:
    """Where the own host has packages."""
    return [f"http://localhost:{PORT}/request/core/x86_64/{depot.packages[name].filename}" for name in names]


def holding(host: Host, other: Host, depot: Depot, names: Sequence[str]) -> tuple[Daemon, Daemon]:
    """A daemon that holds packages, and the own one, which knows that."""
    other.pacman("-Sy")
    other.pacman("-Sw", *names)
    depot.settled()
    peer, daemon = Daemon(other), Daemon(host, "--pacserver", other.ip)
    daemon.wait_for("holds")
    return peer, daemon


def test_at_a_peer(make_lab: MakeLab, depot: Depot) -> None:
    """Packages that are at a peer are installed, one as well as several, and are kept under their names with their signatures."""
    host, other = make_lab().hosts
    host.pacman("-Sy")
    peer, daemon = holding(host, other, depot, NAMES)
    for names in (NAMES[:1], NAMES[1:]):
        done = host.pacman("-U", *urls(depot, names))
        assert "error" not in done.stderr
        assert host.installed() == set(names)
        assert {path.name for path in host.pkg.iterdir()} == set(depot.filenames(names))
        for file in depot.filenames(names, signatures=False):
            assert " 307 from peer " in daemon.requests(file)[-1]
            assert daemon.requests(f"{file}.sig")
        host.forget()
    for one in (peer, daemon):
        one.stop()
