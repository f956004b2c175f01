"""The hosts that files come from: peers, with the share that each holds and gave, and mirrors with their health."""

from __future__ import annotations

from pacserve.page.table import MOST_ROWS, Cell, Table
from pacserve.page.text import duration, milliseconds, number, rate, share, size
from pacserve.report.status import MirrorStatus, PeerStatus

_PEER_MARKS = {"known": "good", "new": "fair", "unknown": "fair", "refused": "bad", "dead": "bad"}


def peers_table(peers: tuple[PeerStatus, ...], now: float) -> Table:
    """Returns the table of peers; those that gave most come first."""
    held, given = sum([peer.files for peer in peers]), sum([peer.given for peer in peers])
    shown = sorted(peers, key=lambda peer: (-peer.given, -peer.files, peer.address))[:MOST_ROWS]
    return Table(
        "peers",
        "Other hosts with pacserve; the shares are of all that the peers hold, and of all that they gave",
        ("Peer", "State", "#Holds", "#Gave", "#Answers in", "#Failures", "Last heard"),
        tuple([_peer_row(peer, held, given, now) for peer in shown]),
        "No peer is known.",
        len(peers) - len(shown),
    )


def _peer_row(peer: PeerStatus, held: int, given: int, now: float) -> tuple[Cell, ...]:
    called = f"{peer.name} ({peer.address})" if peer.name and peer.name != peer.address else peer.address
    return (
        Cell(called),
        Cell(f"{peer.state}: {peer.reason}" if peer.reason else peer.state, mark=_PEER_MARKS.get(peer.state, "")),
        Cell(_with_share(f"{number(peer.files)} files", share(peer.files, held))),
        Cell(_with_share(size(peer.given), share(peer.given, given))),
        Cell(milliseconds(peer.delay)),
        Cell(number(peer.failures), mark="bad" if peer.failures else ""),
        Cell("never") if peer.heard is None else Cell(at=now - peer.heard),
    )


def _with_share(text: str, part: str) -> str:
    return f"{text} ({part})" if part else text


_MIRROR_MARKS = {"well": "good", "slow": "fair", "failed": "bad"}


def mirrors_table(mirrors: tuple[MirrorStatus, ...]) -> Table:
    """Returns the table of mirrors, in the order of pacman.conf."""
    return Table(
        "mirrors",
        "The mirrors of pacman.conf, and how well they work",
        ("Mirror", "State", "#Speed", "Repositories"),
        tuple([_mirror_row(mirror) for mirror in mirrors[:MOST_ROWS]]),
        "pacman.conf names no mirror.",
        max(len(mirrors) - MOST_ROWS, 0),
    )


def _mirror_row(mirror: MirrorStatus) -> tuple[Cell, ...]:
    return (
        Cell(mirror.url),
        Cell(mirror.state + _avoided(mirror.avoided), mark=_MIRROR_MARKS.get(mirror.state, "")),
        Cell("not known" if mirror.rate is None else rate(mirror.rate)),
        Cell(", ".join(mirror.repositories)),
    )


def _avoided(seconds: float) -> str:
    """Returns for how long a mirror is avoided, in whole minutes, so that the cell does not change every second."""
    if seconds <= 0:
        return ""
    return f", asked last for {'less than a minute' if seconds < 60 else duration(seconds)}"
