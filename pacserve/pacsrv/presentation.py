"""`pacsrv status` and `pacsrv why` as text.  Rules only."""

from __future__ import annotations

from collections.abc import Sequence

from pacserve.pacsrv.layout import Cell, Screen, Style, bar, table
from pacserve.pacsrv.text import ago, delay, number, size, span
from pacserve.report.health import Health, health_of, health_text
from pacserve.report.status import AptStatus, MirrorStatus, PeerStatus, Record, SpoolStatus, Status, TrafficStatus, TransferStatus
from pacserve.report.why import Why
from pacserve.web.origins import shares_in

# Characters inside the brackets of a progress bar.
_BAR_WIDTH = 20
_PEER_STYLES = {"known": Style.GOOD, "new": Style.PLAIN, "unknown": Style.DOUBTFUL, "refused": Style.DOUBTFUL, "dead": Style.DIM}
_HEALTH_STYLES = {Health.UNKNOWN: Style.DIM, Health.WELL: Style.GOOD, Health.DOUBTFUL: Style.DOUBTFUL, Health.WRONG: Style.BAD}
_MIRROR_STYLES = {"well": Style.GOOD, "slow": Style.DOUBTFUL, "failed": Style.BAD, "lied": Style.BAD, "resting": Style.DOUBTFUL}


def show_status(status: Status, now: float, screen: Screen) -> list[str]:
    """
    Returns the state of a daemon as lines.

    Args:
        now: Seconds since the epoch.
    """
    return [
        *_host(status, now, screen),
        "",
        *_section(screen, "Peers", _peers(status.peers, screen), "none known"),
        *_all_mirrors(status, screen),
        "",
        *_traffic(status.traffic, screen),
        "",
        *_section(screen, "Running", _transfers(status.transfers, screen), "pacserve downloads nothing now"),
        *_unfinished(status.spool, now, screen),
    ]


def _section(screen: Screen, title: str, lines: Sequence[str], nothing: str) -> list[str]:
    return [screen.styled(title, Style.BOLD), *(lines or [screen.fitted(nothing)])]


def _host(status: Status, now: float, screen: Screen) -> list[str]:
    host = status.host
    facts = [
        f"offers {number(host.files, 'file', 'files')}, {size(host.size)}",
        *([] if _has_apt_only(status) else [f"misses: {host.misses}, hits: {host.hits}"]),
        f"multicast: {'last heard ' + ago(host.multicast_heard) if host.multicast else 'off'}; /info last asked for: {ago(host.info_asked)}",
    ]
    if status.apt is not None:
        facts += _apt(status.apt)
    elif host.no_pacman:
        facts.append(f"no pacman here: {host.no_pacman}; package files of peers are not used")
    if status.spool is not None:
        spool = status.spool
        facts.append(f"keeps {number(spool.files, 'download', 'downloads')} in {spool.directory}, {size(spool.size)} of {size(spool.limit)}")
    wrong = [screen.styled(screen.fitted(health_text(status.findings)), _HEALTH_STYLES[health_of(status.findings)])]
    for finding in status.findings or ():
        wrong += [screen.fitted(f"  {finding.check}: {finding.text}"), *([screen.fitted(f"  -> {finding.cure}")] if finding.cure else [])]
    title = f"{host.name or 'this host'}: pacserve {host.version} on port {host.port}, up {span(now - host.started)}"
    return [screen.styled(screen.fitted(title), Style.BOLD), *wrong, *map(screen.fitted, facts)]


def _peers(peers: Sequence[PeerStatus], screen: Screen) -> list[str]:
    if not peers:
        return []
    heads = ["ADDRESS", "NAME", "FOUND BY", "STATE", "HOLDS", "HEARD", "DELAY", "FAILED", "GAVE"]
    rows: list[list[Cell | str]] = [
        [
            peer.address,
            peer.host_name or "-",
            _found_by(peer),
            Cell(peer.state, _PEER_STYLES.get(peer.state, Style.PLAIN)),
            f"{peer.files:,}",
            ago(peer.heard),
            delay(peer.delay),
            Cell(str(peer.failures), Style.DOUBTFUL if peer.failures else Style.PLAIN),
            size(peer.given),
        ]
        for peer in peers
    ]
    if any(peer.reason for peer in peers):
        heads.append("REASON")
        for row, peer in zip(rows, peers, strict=True):
            row.append(peer.reason)
    return table(screen, heads, rows, right=frozenset({4, 6, 7, 8}))


def _found_by(peer: PeerStatus) -> str:
    """Returns how this host knows of a peer: by multicast, or by the option with the name that the user wrote."""
    if peer.discovered:
        return "multicast"
    return f"--pacserver {peer.name}" if peer.name != peer.address else "--pacserver"


def _has_apt_only(status: Status) -> bool:
    """Returns whether a host has no pacman, and is meant to have none."""
    return bool(status.host.no_pacman) and status.apt is not None


def _apt(apt: AptStatus) -> list[str]:
    known = f"{number(apt.lists, 'list', 'lists')} known, of {number(apt.stated, 'file', 'files')}"
    archives = f"offers {number(apt.archives, 'archive', 'archives')} of apt's" if apt.archives else ""
    kept = f"keeps {number(apt.releases, 'release', 'releases')}"
    return [f"answers apt on port {apt.port}: {', '.join([part for part in (known, archives, kept) if part])}"]


def _all_mirrors(status: Status, screen: Screen) -> list[str]:
    """Returns the mirrors of each package system that this host has."""
    if status.apt is None:
        return ["", *_section(screen, "Mirrors", _mirrors(status.mirrors, screen), "none in pacman.conf")]
    pacman = [] if _has_apt_only(status) else ["", *_section(screen, "Mirrors of pacman", _mirrors(status.mirrors, screen), "none in pacman.conf")]
    mirrors = _mirrors(status.apt.mirrors, screen, "FOLDERS")
    return [*pacman, "", *_section(screen, "Mirrors of apt", mirrors, "no source of apt has an http or https mirror")]


def _mirrors(mirrors: Sequence[MirrorStatus], screen: Screen, places: str = "REPOSITORIES") -> list[str]:
    if not mirrors:
        return []
    rows = [
        (
            mirror.url,
            Cell(mirror.state, _MIRROR_STYLES.get(mirror.state, Style.PLAIN)),
            f"comes last for {span(mirror.avoided)}" if mirror.avoided > 0 else "-",
            f"{size(mirror.rate)}/s" if mirror.rate is not None else "-",
            ", ".join(mirror.repositories),
        )
        for mirror in mirrors
    ]
    return table(screen, ("MIRROR", "STATE", "AVOIDED", "RATE", places), rows, right=frozenset({3}))


def _traffic(traffic: TrafficStatus, screen: Screen) -> list[str]:
    rows = [(tally.origin, f"{tally.requests:,}", size(tally.size)) for tally in traffic.tallies]
    lines = table(screen, ("FROM", "REQUESTS", "BYTES"), rows, right=frozenset({1, 2})) if rows else []
    share = f" ({traffic.saved / traffic.asked:.0%} of {size(traffic.asked)})" if traffic.asked else ""
    summary = f"saved from the WAN: {size(traffic.saved)}{share}; given to other hosts: {size(traffic.served)}"
    return [screen.styled("Traffic", Style.BOLD), *lines, screen.fitted(summary)]


def _transfers(transfers: Sequence[TransferStatus], screen: Screen) -> list[str]:
    if not transfers:
        return []
    heads = ("FILE", "PROGRESS", "DONE", "RATE", "LEFT", "FROM")
    return table(screen, heads, [row for transfer in transfers for row in _transfer(transfer)], right=frozenset({2, 3, 4}))


def _transfer(transfer: TransferStatus) -> list[tuple[str, ...]]:
    """Returns the row of a download; where several hosts give the file, a row for each of them follows."""
    rate = transfer.done / transfer.seconds if transfer.seconds > 0 else None
    progress, left = "-", "-"
    if transfer.size:
        progress = _progress(transfer.done, transfer.size)
        left = span((transfer.size - transfer.done) / rate) if rate else "-"
    name = transfer.name if transfer.verified else f"{transfer.name} (unverified)"
    shares = transfer.shares if len(transfer.shares) > 1 else ()
    source = f"{len(shares)} hosts" if shares else transfer.source or "-"
    row = (name, progress, size(transfer.done), f"{size(rate)}/s" if rate is not None else "-", left, source)
    return [row, *[("", "", size(share.size), "", "", share.source) for share in shares]]


def _unfinished(spool: SpoolStatus | None, now: float, screen: Screen) -> list[str]:
    if spool is None or not spool.unfinished:
        return []
    rows = [
        (file.name, _progress(file.done, file.size), size(file.done), size(file.size), ago(max(0.0, now - file.since))) for file in spool.unfinished
    ]
    heads = ("FILE", "PROGRESS", "DONE", "OF", "BEGAN")
    return ["", screen.styled("Unfinished (goes on when it is asked for)", Style.BOLD), *table(screen, heads, rows, right=frozenset({2, 3}))]


def _progress(done: int, whole: int) -> str:
    share = done / whole if whole else 0.0
    return f"{bar(share, _BAR_WIDTH)} {min(max(share, 0.0), 1.0):4.0%}"


_VERDICTS = {"used": ("from here", Style.GOOD), "next": ("then", Style.PLAIN), "no": ("not", Style.DIM)}


def show_why(why: Why, now: float, screen: Screen) -> list[str]:
    """
    Returns as lines where a file would come from, and where it came from last time; by each package system that knows it.

    Args:
        now: Seconds since the epoch.
    """
    lines = _why(why, now, screen)
    for other in why.others:
        lines += ["", *_why(other, now, screen)]
    return lines


def _why(why: Why, now: float, screen: Screen) -> list[str]:
    of_apt = why.system == "apt"
    source, absent = ("the lists of apt state", "in no list of apt") if of_apt else ("the database states", "not in the database")
    stated = f"{size(why.size)} as {source}" if why.size is not None else absent
    lines = [screen.styled(screen.fitted(f"{why.name} ({why.repository or 'no repository'}; {stated})"), Style.BOLD)]
    if why.shared_as:
        lines.append(screen.fitted(f"shared as {why.shared_as}"))
    lines.append("")
    if why.candidates:
        rows = [(Cell(*_VERDICTS.get(one.verdict, (one.verdict, Style.PLAIN))), one.who, one.reason) for one in why.candidates]
        lines += table(screen, ("NOW", "FROM", "WHY"), rows)
    else:
        lines.append(screen.fitted("no host could provide it now"))
    if not any(one.verdict == "used" for one in why.candidates):
        told = "apt would be told that it is not answered here" if of_apt else "pacman would be told that no host has it"
        lines.append(screen.styled(screen.fitted(told), Style.BAD))
    lines += ["", screen.styled("Last time", Style.BOLD)]
    if not why.last:
        return [*lines, screen.fitted("it has not been asked for since pacserve began to keep records")]
    requests = [row for record in why.last for row in _request(record, now)]
    return lines + table(screen, ("WHEN", "CLIENT", "ANSWER", "FROM", "BYTES"), requests, right=frozenset({4}))


def _request(record: Record, now: float) -> list[tuple[Cell | str, ...]]:
    """Returns the row of a request; where several hosts gave the file, a row for each of them follows."""
    shares, how = shares_in(record.origin) if record.status < 400 else ((), record.origin)
    source = ", ".join([text for text in (record.origin.partition(" ")[0], how) if text]) if shares else how
    rows: list[tuple[Cell | str, ...]] = [(ago(max(0.0, now - record.at)), record.client, _outcome(record), source or "-", size(record.size))]
    rows += [("", "", "", share.source, size(share.size)) for share in shares]
    return rows


def _outcome(record: Record) -> Cell:
    if record.status >= 400:
        return Cell(f"{record.status}, after {delay(record.seconds)}", Style.BAD)
    if not record.ended:
        return Cell(f"{record.status}, broken off", Style.DOUBTFUL)
    if record.redirected:
        return Cell(f"{record.status}, sent there")
    return Cell(str(record.status))
