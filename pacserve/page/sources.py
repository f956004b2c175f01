"""The hosts that files come from: peers, with the share that each holds and gave, and mirrors with their health."""

from __future__ import annotations

from collections.abc import Mapping

from pacserve.page.hosts import peer_cell
from pacserve.page.table import MOST_ROWS, Cell, Table, folded
from pacserve.page.text import duration, milliseconds, number, rate, share, size
from pacserve.report.status import AptStatus, MirrorStatus, PeerStatus

FIRST_PEERS = 10
"""Peers that are shown; the others are folded below them."""

_PEER_MARKS = {"known": "good", "new": "quiet", "unknown": "quiet", "refused": "fair", "dead": "quiet"}
"""Nothing is red: a machine that was turned off is no trouble of this host."""


def peers_tables(peers: tuple[PeerStatus, ...], now: float) -> tuple[Table, Table]:
    """Returns the table of peers, and a folded one with the others of many; those that gave most come first."""
    held, given = sum([peer.files for peer in peers]), sum([peer.given for peer in peers])
    shown = sorted(peers, key=lambda peer: (-peer.given, -peer.files, peer.address))[:MOST_ROWS]
    table = Table(
        "peers",
        "Other hosts with pacserve; the shares are of all that the peers hold, and of all that they gave",
        ("Peer", "State", "#Holds", "#Gave", "#Answers in", "#Failures", "Last heard"),
        tuple([_peer_row(peer, held, given, now) for peer in shown]),
        "No peer is known: with --multicast this host finds others on the LAN, and --pacserver names one.",
        len(peers) - len(shown),
    )
    return folded(table, FIRST_PEERS, "more peers")


def _peer_row(peer: PeerStatus, held: int, given: int, now: float) -> tuple[Cell, ...]:
    return (
        peer_cell(peer),
        Cell(peer.state, note=peer.reason, mark=_PEER_MARKS.get(peer.state, "")),
        Cell(f"{number(peer.files)} files", note=share(peer.files, held)),
        Cell(size(peer.given), note=share(peer.given, given)),
        Cell(milliseconds(peer.delay)),
        Cell(number(peer.failures), mark="quiet" if peer.failures else ""),
        Cell("never") if peer.heard is None else Cell(at=now - peer.heard),
    )


_MIRROR_MARKS = {"well": "good", "slow": "fair", "failed": "fair", "lied": "bad", "resting": "fair"}


def mirrors_table(mirrors: tuple[MirrorStatus, ...]) -> Table:
    """Returns the table of mirrors, in the order of pacman.conf.  Failures are red only where no mirror is left."""
    caption = "The mirrors of pacman.conf, and how well they work"
    return _table("mirrors", caption, "Repositories", mirrors, "pacman.conf names no mirror.")


def apt_mirrors_table(apt: AptStatus) -> Table:
    """Returns the table of the mirrors of apt's sources."""
    caption = "The mirrors of apt's sources, and how well they work; apt names one for each file"
    return _table("apt-mirrors", caption, "Folders", apt.mirrors, "No source of apt has an http or https mirror; --apt-mirror URL names one.")


def _table(key: str, caption: str, places: str, mirrors: tuple[MirrorStatus, ...], empty: str) -> Table:
    marks = _MIRROR_MARKS if any(mirror.state != "failed" for mirror in mirrors) else {"failed": "bad"}
    rows = tuple([_mirror_row(mirror, marks) for mirror in mirrors[:MOST_ROWS]])
    return Table(key, caption, ("Mirror", "State", "#Speed", places), rows, empty, max(len(mirrors) - MOST_ROWS, 0))


def _mirror_row(mirror: MirrorStatus, marks: Mapping[str, str]) -> tuple[Cell, ...]:
    return (
        Cell(mirror.url),
        Cell(mirror.state, note=_avoided(mirror.avoided), mark=marks.get(mirror.state, "")),
        Cell("not known" if mirror.rate is None else rate(mirror.rate)),
        Cell(", ".join(mirror.repositories)),
    )


def _avoided(seconds: float) -> str:
    """Returns for how long a mirror is avoided, in whole minutes, so that the cell does not change every second."""
    if seconds <= 0:
        return ""
    return f"asked last for {'less than a minute' if seconds < 60 else duration(seconds)}"
