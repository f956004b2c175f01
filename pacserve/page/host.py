"""This host, and the traffic that it has saved."""

from __future__ import annotations

from pacserve.page.layout import facts
from pacserve.page.table import Cell
from pacserve.page.text import day, number, share, size
from pacserve.report.origins import Origin
from pacserve.report.status import AptStatus, HostStatus, Status

_MISSES = {
    "auto": "this host downloads it once for the LAN; without peers, pacman is redirected to the mirror",
    "redirect": "pacman is redirected to the mirror",
    "fetch": "this host downloads it, once for the LAN",
}
_HITS = {
    "auto": "pacman is redirected to the peer; if it comes back, this host fetches and checks the file",
    "redirect": "pacman is redirected to the peer",
    "relay": "this host fetches it, checks it and passes it on",
}

Facts = dict[str, tuple[str, Cell]]
"""The name and the value of each fact, by its id."""


def share_cells(status: Status) -> dict[str, Cell]:
    """Returns the share of this host's bytes that did not cross the WAN, and what it is a share of, by the ids of their elements."""
    traffic = status.traffic
    if not traffic.asked:
        return {"share": Cell("0 B", mark="quiet"), "share-of": Cell("asked for until now; the share that does not cross the WAN will be here")}
    about = f"of the {size(traffic.asked)} that this host asked for did not cross the WAN"
    return {
        "share": Cell(share(traffic.saved, traffic.asked)),
        "share-of": Cell(about, note=f"{size(traffic.saved)} saved since {day(traffic.since)}"),
    }


def share_html(status: Status, now: float) -> str:
    """Returns the share as one large figure."""
    cells = share_cells(status)
    return f'<p class="share">{" ".join([f"""<span id="{key}">{cell.html(now)}</span>""" for key, cell in cells.items()])}</p>\n'


def totals(status: Status) -> Facts:
    """Returns how many bytes came from each origin."""
    traffic = status.traffic
    sizes = {tally.origin: tally.size for tally in traffic.tallies}
    return {
        "from-peers": ("From peers", Cell(size(sizes.get(Origin.PEERS.value, 0)))),
        "from-cache": ("From this host's caches", Cell(size(sizes.get(Origin.CACHE.value, 0)))),
        "from-mirrors": ("From mirrors", Cell(size(sizes.get(Origin.MIRRORS.value, 0)))),
        "served": ("Given to other hosts", Cell(size(traffic.served))),
    }


def host_facts(status: Status, now: float) -> Facts:
    """Returns the facts about this daemon: its version, its options and its state."""
    host, spool = status.host, status.spool
    rows: Facts = {
        "version": ("Version", Cell(host.version)),
        "started": ("Started", Cell(at=host.started)),
        "counted": ("Traffic is counted since", Cell(at=status.traffic.since)),
        "port": ("TCP port", Cell(str(host.port))),
        "holds": ("Offers", Cell(f"{number(host.files)} files, {size(host.size)}")),
        **_of_pacman(status),
        **_of_apt(status.apt),
        "multicast": ("Multicast", _multicast(host, now)),
        "asked": ("A peer last asked for the inventory", Cell("never") if host.info_asked is None else Cell(at=now - host.info_asked)),
        "claims": ("Claims kept here for the LAN", Cell(number(status.claims))),
    }
    if spool is not None:
        kept = f"{number(spool.files)} files, {size(spool.size)} of {size(spool.limit)}, in {spool.directory}"
        if spool.unfinished:
            kept += f"; {number(len(spool.unfinished))} unfinished"
        rows["spool"] = ("Keeps downloads", Cell(kept))
    rows["instance"] = ("Instance", Cell(host.instance))
    return rows


def _of_pacman(status: Status) -> Facts:
    host = status.host
    if status.apt is None:
        of = "Files"
    elif host.no_pacman:
        return {}
    else:
        of = "Files for pacman"
    return {
        "hits": (f"{of} that a peer has", Cell(_HITS.get(host.hits, host.hits))),
        "misses": (f"{of} that no host has", Cell(_MISSES.get(host.misses, host.misses))),
    }


def _of_apt(apt: AptStatus | None) -> Facts:
    if apt is None:
        return {}
    archives = f", {number(apt.archives)} archives of apt's are offered" if apt.archives else ""
    known = f"{number(apt.lists)} lists of packages are known, of {number(apt.stated)} files{archives}, {number(apt.releases)} releases are kept"
    return {"apt-port": ("TCP port for apt", Cell(str(apt.port))), "apt-known": ("apt", Cell(known))}


def facts_html(rows: Facts, kind: str, now: float) -> str:
    """Returns the facts as an HTML list."""
    return facts({key: (name, cell.html(now)) for key, (name, cell) in rows.items()}, kind)


def _multicast(host: HostStatus, now: float) -> Cell:
    if not host.multicast:
        return Cell("off")
    if host.multicast_heard is None:
        return Cell("on, nothing heard yet", mark="fair")
    return Cell("an announcement was heard", at=now - host.multicast_heard)
