"""A daemon's status, made up: what the tests of the page show."""

from __future__ import annotations

from dataclasses import replace

from pacserve.report.status import (
    AptStatus,
    Bucket,
    FindingStatus,
    HostStatus,
    MirrorStatus,
    PeerStatus,
    Record,
    SpoolStatus,
    Status,
    Tally,
    TrafficStatus,
    TransferStatus,
)
from pacserve.web.origins import Share, source_text

NOW = 1_795_252_086.0
"""2026-11-21T09:08:06Z."""

MIB = 1024 * 1024

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>' onload='x\u202egpj\x00\x1b[31m&amp;\udcff</table>"
"""What another host might call itself, or a file."""

_PACKAGES = ("linux-6.17.8.arch1-1-x86_64", "zlib-1:1.3.1-2-x86_64", "firefox-145.0.1-1-x86_64", "openssh-10.2p1-2-x86_64", "bash-5.3.8-1-x86_64")
_STATES = ("known", "known", "known", "known", "new", "dead")
_NAMES = ("nas", "laptop", "", "kitchen", "workbench", "attic")
FINDING = FindingStatus("disk", "warning", "/var/cache/pacserve has 1.2 GiB left", "remove files there, or make --spool-size smaller")


def peer(number: int) -> PeerStatus:
    """One of many peers."""
    state = _STATES[number % len(_STATES)]
    return PeerStatus(
        f"10.0.0.{number + 2}:15678",
        "" if number % 3 else f"host{number}.lan",
        f"{number:032x}",
        bool(number % 3),
        state,
        "did not answer three times" if state == "dead" else "",
        1204 - 31 * number,
        3600.0 if state == "dead" else 4.0 + number,
        0.0008 + 0.0003 * number,
        3 if state == "dead" else 0,
        max(900 - 37 * number, 0) * MIB,
        host_name=_NAMES[number] if number < len(_NAMES) else f"host{number}",
    )


def transfer(done: int, name: str = "linux-6.17.8.arch1-1-x86_64.pkg.tar.zst") -> TransferStatus:
    """A download of 140 MiB."""
    return TransferStatus(name, "core", "mirror http://mirror.example.org", done, 140 * MIB, 12.0, True)


def _shares(done: int) -> tuple[Share, ...]:
    """What three mirrors gave of a download."""
    parts = (done // 2, done // 3, done - done // 2 - done // 3)
    return tuple([Share(f"mirror https://mirror{number}.example.org", part) for number, part in enumerate(parts)])


def record(number: int, at: float) -> Record:
    """One of many requests."""
    path = f"/request/extra/x86_64/{_PACKAGES[number % len(_PACKAGES)]}.pkg.tar.zst"
    match number % 6:
        case 0:
            return Record(at, "127.0.0.1", path, 200, "cache", 3 * MIB, 0.004, False, True)
        case 1:
            return Record(at, "127.0.0.1", path, 307, "mirror https://mirror.example.org/extra/os/x86_64", 74 * MIB, 0.041, True, True)
        case 2:
            return Record(
                at, "127.0.0.1", "/request/extra/x86_64/extra.db", 307, "mirror https://mirror.example.org/extra/os/x86_64", None, 0.03, True, True
            )
        case 3:
            return Record(at, "127.0.0.1", path + ".sig", 404, "mirror https://mirror.example.org/extra/os/x86_64", 20, 0.02, False, True)
        case 5:
            origin = f"{source_text(_shares(74 * MIB))}, downloaded"
            return Record(at, "127.0.0.1", path, 200, origin, 74 * MIB, 5.8, False, True)
        case _:
            return Record(at, "127.0.0.1", path, 307, "peer 10.0.0.3:15678", 74 * MIB, 0.0007, True, True)


def foreign_record(number: int, at: float) -> Record:
    """One of many requests of other hosts."""
    path = f"/package/{_PACKAGES[number % len(_PACKAGES)]}.pkg.tar.zst"
    if number % 3:
        return Record(at, f"10.0.0.{2 + number % 4}", path, 404, "", None, 0.0004, False, True, own=False, method="HEAD")
    return Record(at, "10.0.0.3", path, 200, "cache", 74 * MIB, 0.7, False, True, own=False)


APT = AptStatus(
    9988,
    (
        MirrorStatus("http://deb.debian.org", ("/debian", "/debian-security"), "well", 0.0, 9.1 * MIB),
        MirrorStatus("https://download.example", ("/linux/debian",), "failed", 45.0, None),
    ),
    3,
    70_118,
    214,
    4,
)


def status(peers: int = 5, done: int = 63 * MIB, now: float = NOW) -> Status:
    """A busy afternoon."""
    minute, today = now // 60 * 60, now // 86400 * 86400
    minutes = [Bucket(minute - 60 * ago, ago * 7 % 11 * MIB, ago * 5 % 23 * MIB, ago * 3 % 13 * MIB) for ago in range(59, -1, -1) if ago % 9]
    hours = [
        Bucket(now // 3600 * 3600 - 3600 * ago, ago * 5 % 7 * 9 * MIB, ago * 3 % 11 * 9 * MIB, ago * 7 % 5 * 8 * MIB) for ago in range(23, -1, -1)
    ]
    days = [Bucket(today - 86400 * ago, ago * 7 % 11 * 90 * MIB, ago * 5 % 23 * 99 * MIB, ago * 3 % 13 * 80 * MIB) for ago in range(29, -1, -1)]
    return Status(
        HostStatus("1.0", "5f" * 16, "atlas", 15678, now - 93_000, "fetch", "redirect", True, 81, 1204, 9_321 * MIB, 12.0, 31.0),
        tuple([peer(number) for number in range(peers)]),
        (
            MirrorStatus("https://mirror.example.org", ("core", "extra"), "well", 0.0, 11.2 * MIB),
            MirrorStatus("https://slow.example.net", ("core", "extra"), "slow", 0.0, 0.3 * MIB),
            MirrorStatus("http://gone.example.com", ("core",), "failed", 130.0, None),
        ),
        (
            replace(transfer(done), shares=_shares(done)),
            TransferStatus("firefox-145.0.1-1-x86_64.pkg.tar.zst", "extra", "peer 10.0.0.3:15678", 9 * MIB, None, 3.0, False),
        ),
        TrafficStatus(
            now - 2_000_000,
            (Tally("cache", 310, 1_900 * MIB), Tally("peers", 1_870, 14_200 * MIB), Tally("mirrors", 420, 3_100 * MIB), Tally("none", 9, 0)),
            16_100 * MIB,
            8_700 * MIB,
            tuple(minutes),
            tuple(days),
            tuple(hours),
        ),
        SpoolStatus("/var/cache/pacserve/pkg", 57, 2_900 * MIB, 10_240 * MIB),
        1,
        tuple(
            [record(number, now - 7 - 41 * number) for number in range(24)] + [foreign_record(number, now - 3 - 57 * number) for number in range(14)]
        ),
        findings=(),
    )
