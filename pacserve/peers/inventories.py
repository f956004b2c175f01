"""Asks peers by `/info` who they are and what they hold, and takes in what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.errors import RemoteProtocolError
from pacserve.fetch.client import BodyAnswer, HTTPClient
from pacserve.network.addresses import Endpoint
from pacserve.peers.budgets import POLL_COST, UNUSABLE_COST, Budgets
from pacserve.peers.holdings import NAMES_PER_ADDRESS, Holdings
from pacserve.peers.inventory import PACKED_LIMIT, PeerInfo, Reading
from pacserve.peers.peer import Identity, Myself, Peer, PeerState
from pacserve.peers.reputation import identity_of
from pacserve.peers.roster import Roster
from pacserve.peers.slices import Slices
from pacserve.peers.stated import StatedNames
from pacserve.peers.sweeping import Sweeping

T = TypeVar("T")

# Seconds for a whole /info: 2 MiB over a slow wireless link.
INFO_TIMEOUT = 5.0
# Inventories that are held of peers that announced themselves.  In a larger LAN nearly every file is held by one of these; the others are asked.
INVENTORIES_LIMIT = 128
# Inventories of one address for which all of these places may be used; those of more have half of them, so that a host can't take them all by ports.
INVENTORIES_PER_ADDRESS = 4
# Bytes of an answer that says who a peer is, and nothing of what it holds.
_BRIEF_LIMIT = 16 << 10
# Characters of an entity tag that is kept; ours have some 50.
_ETAG_LIMIT = 128
# Names that are taken in at once: some 1 ms.
_NAMES_PER_STEP = 512


class Inventories:
    """
    Knows who the peers are and what they hold, as far as they have said so.

    Args:
        myself: This daemon, which is no peer of itself.
        budgets: Told of the work that each host causes.

    Attributes:
        stated: The names of packages that peers have stated.
    """

    _log = Logger()

    def __init__(
        self,
        peers: Roster,
        holdings: Holdings,
        client: HTTPClient,
        myself: Myself,
        budgets: Budgets,
        clock: IReactorTime,
    ) -> None:
        self._peers = peers
        self._holdings = holdings
        self._client = client
        self._myself = myself
        self._budgets = budgets
        self._clock = clock
        self.stated = StatedNames()
        self._slices = Slices(clock)
        self._sweeping = Sweeping(holdings, clock)
        self._listed: Counter[str] = Counter()

    def stop(self) -> None:
        """Leaves the table of names as it is."""
        self._sweeping.stop()

    async def ask(self, peer: Peer, endpoint: Endpoint) -> None:
        """
        Asks for `/info` and takes it in.  What a peer holds is forgotten if it may be asked only briefly.

        Raises:
            RemoteProtocolError: The host answers, but not with a usable `/info`.
            FetchError: The host does not answer.
        """
        if peer.observed.brief_at is not None:
            self._unlist(peer)
        since = self._since(peer)
        self._budgets.use(endpoint, POLL_COST, self._clock.seconds())
        try:
            answer = await self._answer(peer, endpoint, since)
            if answer is None:
                return
            info = await self._read(answer, endpoint)
        except RemoteProtocolError:
            self._budgets.use(endpoint, UNUSABLE_COST, self._clock.seconds())
            raise
        if info.since is not None and since is None:
            raise RemoteProtocolError("/info states changes where all was asked for")
        if peer.instance is not None and info.instance != peer.instance:
            raise RemoteProtocolError("it is another daemon than the one that announced itself there")
        await self._take(peer, endpoint, info, answer.header("ETag"))

    def _since(self, peer: Peer) -> int | None:
        """
        Returns the generation since which changes are asked for; None for all that a peer holds.

        For a peer for whose inventory there is no room this is the generation that it announced or had: no changes come then, but the rest of the
        answer, which matters.
        """
        if peer.observed.listed and peer.identity is not None:
            return peer.identity.generation
        if not self._is_one_too_many(peer):
            return None
        if peer.announced is not None:
            return peer.announced.generation
        return 0 if peer.identity is None else peer.identity.generation

    def _is_one_too_many(self, peer: Peer) -> bool:
        if peer.observed.brief_at is not None:
            return True
        if not peer.discovered or peer.observed.listed:
            return False
        few = self._listed[identity_of(peer.configured)] < INVENTORIES_PER_ADDRESS
        return self._listed.total() >= (INVENTORIES_LIMIT if few else INVENTORIES_LIMIT // 2)

    async def _answer(self, peer: Peer, endpoint: Endpoint, since: int | None) -> BodyAnswer | None:
        """Returns the answer to read; None where its meaning was taken in and there is nothing to read."""
        headers = {"Accept-Encoding": "gzip"}
        if peer.observed.etag is not None:
            headers["If-None-Match"] = peer.observed.etag
        limit = PACKED_LIMIT if peer.observed.brief_at is None else _BRIEF_LIMIT
        answer = await self._client.get(info_url(endpoint, since), timeout=INFO_TIMEOUT, limit=limit, headers=headers)
        if answer.status == 403:
            self.forget(peer)
            peer.answered(PeerState.REFUSED, "it refuses this host (403): add this host's network to its --peers")
            return None
        if answer.status == 304 and peer.observed.etag is not None and peer.identity is not None:
            if peer.identity.shared is not self._shares_architecture(peer.identity.architectures):  # other files of it can be used than before
                peer.observed.etag = None
                return await self._answer(peer, endpoint, None)
            self._judge(peer, peer.identity)
            if peer.state is PeerState.REFUSED:
                self._unlist(peer)
            elif not peer.observed.listed and not self._is_one_too_many(peer):  # the peer was not used when it sent its inventory, which was not kept
                peer.observed.etag = None
                return await self._answer(peer, endpoint, None)
            return None
        if answer.status != 200:
            raise RemoteProtocolError(f"it answers {answer.status} to /info")
        return answer

    async def _read(self, answer: BodyAnswer, endpoint: Endpoint) -> PeerInfo:
        """
        Returns what an answer says; the host is charged for as much of it as was read.

        Raises:
            RemoteProtocolError: It is no usable `/info`.
        """
        reading = Reading(answer.body, answer.header("Content-Encoding"), NAMES_PER_ADDRESS)
        try:
            return await self._slices.run(reading.steps())
        finally:
            self._budgets.use(endpoint, max(reading.size, len(answer.body)), self._clock.seconds())

    async def _take(self, peer: Peer, endpoint: Endpoint, info: PeerInfo, etag: str | None) -> None:
        """Takes in the `/info` of a peer."""
        observed, shared = peer.observed, self._shares_architecture(info.architectures)
        leads_on = _leads_on(peer, info, shared=shared)
        if peer.identity is None or (peer.identity.instance, peer.identity.generation) != (info.instance, info.generation):
            observed.changed_at = self._clock.seconds()
        files = info.files if shared else info.content
        if info.since is not None and leads_on:
            await self._slices.run(self._update(peer, endpoint, files, info.removed))
        count = self._holdings.count(peer.slot) if leads_on else len(files)
        content = info.shares_content or _shared_content(peer, info)
        observed.identity = identity = Identity(info.instance, info.generation, info.architectures, count, shared, info.skipped, content)
        observed.name = info.name
        observed.etag = etag if etag is not None and len(etag) <= _ETAG_LIMIT else None
        if info.skipped:
            self._log.debug("{count} entries of peer {peer} are not understood", count=info.skipped, peer=endpoint)
        self._judge(peer, identity)
        if peer.state is not PeerState.KNOWN:
            self._unlist(peer)
        elif info.since is None:
            self._list(peer)
            await self._slices.run(self._replace(peer, endpoint, files))
            observed.identity = replace(identity, count=self._holdings.count(peer.slot))
        elif not leads_on:  # the daemon was started anew, there is room for its inventory by now, or this host has other architectures
            self._unlist(peer)
            observed.etag = None
            await self.ask(peer, endpoint)

    def _update(self, peer: Peer, endpoint: Endpoint, added: Mapping[str, int], removed: Sequence[str]) -> Generator[None, None, None]:
        """Changes in steps what a peer holds."""
        for names in _parts(removed):
            self._holdings.update(peer.slot, {}, names)
            self.stated.prune(names, self._is_held)
            yield
        for files in _parts(added.items()):
            self._holdings.update(peer.slot, dict(files), ())
            self.stated.note(identity_of(endpoint), dict(files))
            yield

    def _replace(self, peer: Peer, endpoint: Endpoint, files: Mapping[str, int]) -> Generator[None, None, None]:
        """Makes some files all that a peer holds, in steps; until the last one it holds what it held before."""
        listing = self._holdings.begin(peer.slot, identity_of(endpoint))
        try:
            for part in _parts(files.items()):
                listing.add(dict(part))
                self.stated.note(identity_of(endpoint), dict(part))
                yield
        except BaseException:  # the peer was dropped meanwhile
            listing.discard()
            raise
        else:
            listing.complete()
        finally:
            self._sweeping.soon()
        for names in _parts(self.stated.of(identity_of(endpoint))):
            self.stated.prune(names, self._is_held)
            yield

    def _is_held(self, name: str) -> bool:
        return next(self._holdings.holders(name), None) is not None

    def _shares_architecture(self, architectures: Sequence[str]) -> bool:
        """Returns whether pacman's files of a peer with these architectures can be used here; content of other package systems always can."""
        return not set(architectures).isdisjoint(self._myself.architectures())

    def _judge(self, peer: Peer, identity: Identity) -> None:
        """Decides whether a peer that answers well is used."""
        peer.observed.verified = True
        if identity.instance == self._myself.instance and not peer.discovered:  # a copy of a running machine has the same id, and is another host
            peer.answered(PeerState.REFUSED, "it is this daemon")
            return
        twin = self._twin(peer, identity)
        if twin is not None:
            peer.answered(PeerState.REFUSED, f"it is the same daemon as {twin.configured}")
        elif not identity.shared and not identity.count and not (identity.content and self._myself.content):
            peer.answered(PeerState.REFUSED, f"its architecture is {' '.join(identity.architectures) or 'none'}")
        elif self._is_one_too_many(peer):
            peer.answered(PeerState.UNKNOWN)
        else:
            peer.answered(PeerState.KNOWN)

    def _twin(self, peer: Peer, identity: Identity) -> Peer | None:
        """Returns the peer that the user named which is the same daemon.  Of discovered peers two may be two hosts with one id."""
        return next((p for p in self._peers if p is not peer and not p.discovered and p.state is PeerState.KNOWN and _same(p, identity)), None)

    def _list(self, peer: Peer) -> None:
        if peer.discovered and not peer.observed.listed:
            self._listed[identity_of(peer.configured)] += 1
        peer.observed.listed = True

    def _unlist(self, peer: Peer) -> None:
        if peer.discovered and peer.observed.listed:
            address = identity_of(peer.configured)
            self._listed[address] -= 1
            if not self._listed[address]:
                del self._listed[address]
        peer.observed.listed = False
        self._holdings.clear(peer.slot)
        self._sweeping.soon()

    def forget(self, peer: Peer) -> None:
        """Forgets what a peer holds, and that it is known."""
        peer.observed.identity = peer.observed.etag = None
        self._unlist(peer)


def info_url(peer: Endpoint, since: int | None = None) -> str:
    """
    Returns the URL at which a peer says who it is and what it holds (docs/protocol.md).

    Args:
        since: A generation of its inventory: only what changed since then is asked for.
    """
    return f"{peer.url}/info" if since is None else f"{peer.url}/info?since={since}"


def _leads_on(peer: Peer, info: PeerInfo, *, shared: bool) -> bool:
    """Returns whether changes can be applied to what is known of a peer."""
    known = peer.identity
    return peer.observed.listed and known is not None and (known.instance, known.generation, known.shared) == (info.instance, info.since, shared)


def _shared_content(peer: Peer, info: PeerInfo) -> bool:
    """Returns whether a peer that tells of changes has taken part in sharing content before: earlier versions say so only while they list some."""
    known = peer.identity
    return info.since is not None and known is not None and known.content and known.instance == info.instance


def _same(peer: Peer, identity: Identity) -> bool:
    return peer.identity is not None and peer.identity.instance == identity.instance


def _parts(entries: Iterable[T]) -> Iterator[Sequence[T]]:
    """Yields all entries, some at a time."""
    remaining = iter(entries)
    while part := tuple(islice(remaining, _NAMES_PER_STEP)):
        yield part
