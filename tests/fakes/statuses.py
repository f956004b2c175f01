"""States of a daemon."""

from __future__ import annotations

import dataclasses
from typing import Any

from pacserve.report.status import HostStatus, MirrorStatus, PeerStatus, SpoolStatus, Status, Tally, TrafficStatus, TransferStatus

NOW = 1_790_000_000.0
OWN, OTHER = "0" * 32, "1" * 32


def peer(**changes: Any) -> PeerStatus:
    """A peer that announced itself and does well."""
    values = PeerStatus("10.0.0.3:15678", "", OTHER, True, "known", "", 12, 3.0, 0.0007, 0, 5_000_000)
    return dataclasses.replace(values, **changes)


def status(*peers: PeerStatus, transfers: tuple[TransferStatus, ...] = (), **changes: Any) -> Status:
    """The state of a daemon that has run for an hour; `changes` are of its host."""
    host = HostStatus("0.1.0", OWN, "h1", 15678, NOW - 3600, "redirect", "redirect", True, 3, 40, 123_456_789, 20.0, 30.0)
    return Status(
        host=dataclasses.replace(host, **changes),
        peers=peers,
        mirrors=(MirrorStatus("https://mirror.example", ("core", "extra"), "well", 0.0, 2_500_000.0),),
        transfers=transfers,
        traffic=TrafficStatus(NOW - 86400, (Tally("cache", 3, 3000), Tally("peers", 5, 50_000)), 53_000, 1_000, (), ()),
        spool=SpoolStatus("/var/cache/pacserve", 2, 1 << 20, 5 << 30),
        claims=0,
        recent=(),
    )
