"""Says where a file would come from now, and why from nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

from pacserve.app.reporting import Parts, Reporting
from pacserve.config.settings import Hits, Misses
from pacserve.network.addresses import parse_address
from pacserve.packages.files import FileKind, FileRequest
from pacserve.page.found import Found
from pacserve.page.layout import SHORTEST_QUERY
from pacserve.peers.peer import Peer, PeerState
from pacserve.report.status import Reason, Why
from pacserve.sources.candidates import Wanted

# Peers that are told one by one.
_PEERS_LIMIT = 64
# Files that a search finds.
FOUND_LIMIT = 50
_THIS_HOST = parse_address("127.0.0.1")

_Verdict = tuple[str, bool, str]


class Explaining:
    """Answers questions about single files.  Nobody is asked: everything is what this daemon knows now."""

    def __init__(self, parts: Parts, reporting: Reporting) -> None:
        self._parts = parts
        self._reporting = reporting

    async def why(self, text: str) -> Why | None:
        """
        Returns where a package would come from.

        Args:
            text: The name of a package, or of its file.

        Returns:
            None where no database knows it.
        """
        await self._parts.databases.refresh_all()
        found = [(repo, name) for repo, name in self._parts.databases.find(text, FOUND_LIMIT) if text == name or name.rsplit("-", 3)[0] == text]
        if not found:
            return None
        repo, name = found[0]
        size = self._parts.databases.size(repo, name)
        architectures = self._parts.configuration.current().architectures
        request = FileRequest(repo, architectures[0] if architectures else "any", name, FileKind.PACKAGE)
        reasons, used = [], False
        for who, may, reason in self._verdicts(Wanted(request, size, _THIS_HOST)):
            verdict = "no" if not may else "next" if used else "used"
            used = used or may
            reasons.append(Reason(who, verdict, reason))
        return Why(repo, name, size, tuple(reasons), self._parts.ledger.of(name))

    async def search(self, text: str) -> list[Found]:
        """
        Returns the package files whose name contains `text`, each with its size in bytes and who holds it: `this host` and the addresses of peers.
        """
        if len(text) < SHORTEST_QUERY:
            return []
        parts = self._parts
        await parts.databases.refresh_all()
        inventory = await parts.caches.inventory()
        found = []
        for repo, name in parts.databases.find(text, FOUND_LIMIT):
            size = parts.databases.size(repo, name) or 0
            holders = ["this host"] if inventory.files.get(name) == size else []
            for slot, held in parts.holdings.holders(name):
                peer = parts.peers.at(slot)
                if held == size and peer is not None and len(holders) < _PEERS_LIMIT:
                    holders.append(str(peer.endpoint or peer.configured))
            found.append(Found(name, size, tuple(holders)))
        return found

    def _verdicts(self, wanted: Wanted) -> Iterator[_Verdict]:
        """Each candidate in the order in which they are tried: who, whether it would do, and why."""
        yield self._cache(wanted)
        peers = sorted(self._peers(wanted), key=lambda verdict: not verdict[1])
        yield from peers[:_PEERS_LIMIT]
        if len(peers) > _PEERS_LIMIT:
            yield "peers", False, f"{len(peers) - _PEERS_LIMIT} more are not listed"
        settings = self._parts.settings
        if settings.misses is Misses.FETCH:
            yield "download", True, "no one on the LAN has it: it is downloaded here, once for all"
        how = "it is downloaded from there" if settings.misses is Misses.FETCH else "pacman is sent there"
        for mirror in self._reporting.mirrors(self._parts.clock.seconds()):
            if wanted.request.repo in mirror.repositories:
                late = "" if mirror.state == "well" else f"; it was {mirror.state} lately, and comes last for {mirror.avoided:.0f} s"
                yield f"mirror {mirror.url}", True, how + late

    def _cache(self, wanted: Wanted) -> _Verdict:
        held = self._parts.caches.open(wanted.request.name, wanted.size)
        if held is not None:
            held.file.close()
            return "cache", True, "this host has it"
        if self._parts.caches.candidates(wanted):
            return "cache", False, "this host has a file of that name that is not complete, or of another size than the database states"
        return "cache", False, "not held"

    def _peers(self, wanted: Wanted) -> Iterator[_Verdict]:
        sizes = dict(self._parts.holdings.holders(wanted.request.name))
        signed = {slot for slot, _ in self._parts.holdings.holders(f"{wanted.request.name}.sig")}
        how = "pacman is sent there" if self._parts.settings.hits is Hits.REDIRECT else "it is fetched from there and checked"
        now = self._parts.clock.seconds()
        for peer in self._parts.peers:
            problem = self._problem(peer, sizes.get(peer.slot), wanted, now)
            lacking = "" if peer.slot in signed else ", but no signature of it, which would come from elsewhere"
            yield f"peer {peer.endpoint or peer.configured}", not problem, problem or f"it holds the file{lacking}: {how}"
        for endpoint in self._parts.left_out():
            yield f"peer {endpoint}", False, "left out by --multicast-filter"

    def _problem(self, peer: Peer, size: int | None, wanted: Wanted, now: float) -> str:  # noqa: PLR0911
        """Why a peer would not give the file; empty where it would."""
        heard = f", last heard {now - peer.alive_at:.0f} s ago" if peer.alive_at else ""
        if peer.state is PeerState.DEAD:
            return f"dead: {peer.trouble}{heard}"
        if peer.state is PeerState.REFUSED:
            return f"not used: {peer.trouble}"
        if peer.state is PeerState.NEW:
            return "it has announced itself, and was not looked at yet"
        if peer.leaving:
            return "it said goodbye"
        if now < peer.asked_again_at:
            return f"it failed lately, and is asked again in {peer.asked_again_at - now:.0f} s"
        if peer.state is PeerState.UNKNOWN and size is None:
            return f"what it holds is not known ({peer.trouble or 'it was not asked yet'}): it would be asked"
        if size is None:
            return "not held"
        if wanted.size is not None and size != wanted.size:
            return f"stale: its file of that name has {size} bytes instead of {wanted.size}"
        return ""
