"""A daemon to be told of."""

from __future__ import annotations

from pacserve.report.status import HostStatus, MirrorStatus, PeerStatus, SpoolStatus, Status, TrafficStatus, TransferStatus


def peer(address: str, *, state: str = "known", reason: str = "", files: int = 3) -> PeerStatus:
    """A peer, which is used unless there is a reason."""
    return PeerStatus(address, "", "a" * 32, True, state, reason, files, 2.0, 0.001, 0, 1000)


def status(*peers: PeerStatus, spool: bool = True) -> Status:
    """A daemon with these peers, one mirror and one download."""
    return Status(
        host=HostStatus("0.1.0", "b" * 32, "here", 15678, 1700000000.0, "fetch", "relay", True, 7, 2, 300, 1.0, None),
        peers=peers,
        mirrors=(MirrorStatus("https://example.org", ("core",), "slow", 10.0, None),),
        transfers=(TransferStatus("zlib-1-1-any.pkg.tar.zst", "core", "", 0, None, 1.0, False),),
        traffic=TrafficStatus(0.0, (), 0, 0, (), ()),
        spool=SpoolStatus("/var/cache/pacserve", 1, 200, 5 << 30) if spool else None,
        claims=4,
        recent=(),
    )
