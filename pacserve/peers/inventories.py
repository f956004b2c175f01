"""Asks peers by `/info` who they are and what they hold, and takes in what they say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pacserve.errors import RemoteProtocolError
from pacserve.fetch.client import BodyAnswer, HTTPClient
from pacserve.network.addresses import Endpoint
from pacserve.peers.holdings import Holdings
from pacserve.peers.inventory import NAMES_LIMIT, PACKED_LIMIT, PeerInfo, decode, unpack
from pacserve.peers.peer import Identity, Myself, Peer, PeerState
from pacserve.peers.roster import Roster

# Seconds for a whole /info: 4 MiB over a slow wireless link.
INFO_TIMEOUT = 5.0
# Inventories that are held of peers that announced themselves.  In a larger LAN nearly every file is held by one of these; the others are asked.
INVENTORIES_LIMIT = 128
# Characters of an entity tag that is kept; ours have some 50.
_ETAG_LIMIT = 128
# Bytes of an answer that is read at once: most are a few changes, and to hand them to a thread would take longer.
_READ_AT_ONCE = 16 << 10


class Inventories:
    """
    Knows who the peers are and what they hold, as far as they have said so.

    Args:
        myself: This daemon, which is no peer of itself.
        in_thread: Parses an inventory in another thread, since that would stop the reactor.
    """

    _log = Logger()

    def __init__(
        self,
        peers: Roster,
        holdings: Holdings,
        client: HTTPClient,
        myself: Myself,
        in_thread: Callable[[Callable[[], PeerInfo]], Awaitable[PeerInfo]],
        clock: IReactorTime,
    ) -> None:
        self._peers = peers
        self._holdings = holdings
        self._client = client
        self._myself = myself
        self._in_thread = in_thread
        self._clock = clock
        self._listed = 0

    async def ask(self, peer: Peer, endpoint: Endpoint) -> None:
        """
        Asks for `/info` and takes it in.

        Raises:
            RemoteProtocolError: The host answers, but not with a usable `/info`.
            FetchError: The host does not answer.
        """
        since = self._since(peer)
        answer = await self._answer(peer, endpoint, since)
        if answer is None:
            return
        info = await self._read(answer)
        if info.since is not None and since is None:
            raise RemoteProtocolError("/info states changes where all was asked for")
        if peer.instance is not None and info.instance != peer.instance:
            raise RemoteProtocolError("it is another daemon than the one that announced itself there")
        await self._take(peer, endpoint, info, answer.header("ETag"))

    def _since(self, peer: Peer) -> int | None:
        """
        Returns the generation since which changes are asked for; None for all that a peer holds.

        For a peer for whose inventory there is no room this is the announced generation: no changes come then, but the rest of the answer, which
        matters.
        """
        if peer.observed.listed and peer.identity is not None:
            return peer.identity.generation
        return peer.announced.generation if peer.announced is not None and self._is_one_too_many(peer) else None

    def _is_one_too_many(self, peer: Peer) -> bool:
        return peer.discovered and not peer.observed.listed and self._listed >= INVENTORIES_LIMIT

    async def _answer(self, peer: Peer, endpoint: Endpoint, since: int | None) -> BodyAnswer | None:
        """Returns the answer to read; None where its meaning was taken in and there is nothing to read."""
        headers = {"Accept-Encoding": "gzip"}
        if peer.observed.etag is not None:
            headers["If-None-Match"] = peer.observed.etag
        answer = await self._client.get(info_url(endpoint, since), timeout=INFO_TIMEOUT, limit=PACKED_LIMIT, headers=headers)
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

    async def _read(self, answer: BodyAnswer) -> PeerInfo:
        if len(answer.body) <= _READ_AT_ONCE and answer.header("Content-Encoding") is None:
            return _read(answer)
        return await self._in_thread(lambda: _read(answer))

    async def _take(self, peer: Peer, endpoint: Endpoint, info: PeerInfo, etag: str | None) -> None:
        """Takes in the `/info` of a peer."""
        observed, shared = peer.observed, self._shares_architecture(info.architectures)
        leads_on = _leads_on(peer, info, shared=shared)
        if peer.identity is None or (peer.identity.instance, peer.identity.generation) != (info.instance, info.generation):
            observed.changed_at = self._clock.seconds()
        files = info.files if shared else info.content
        if info.since is not None and leads_on:
            self._holdings.update(peer.slot, files, info.removed)
        count = self._holdings.count(peer.slot) if leads_on else len(files)
        observed.identity = identity = Identity(info.instance, info.generation, info.architectures, count, shared, info.skipped)
        observed.etag = etag if etag is not None and len(etag) <= _ETAG_LIMIT else None
        if info.skipped:
            self._log.debug("{count} entries of peer {peer} are not understood", count=info.skipped, peer=endpoint)
        self._judge(peer, identity)
        if peer.state is not PeerState.KNOWN:
            self._unlist(peer)
        elif info.since is None:
            self._holdings.replace(peer.slot, files)
            self._list(peer)
        elif leads_on:
            if count > NAMES_LIMIT:
                raise RemoteProtocolError(f"it holds more than {NAMES_LIMIT:,} files")
        else:  # the daemon was started anew, there is room for its inventory by now, or this host has other architectures
            self._unlist(peer)
            observed.etag = None
            await self.ask(peer, endpoint)

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
        elif not identity.shared and not identity.count:
            peer.answered(PeerState.REFUSED, f"its architecture is {' '.join(identity.architectures) or 'none'}")
        elif self._is_one_too_many(peer):
            peer.answered(PeerState.UNKNOWN)
        else:
            peer.answered(PeerState.KNOWN)

    def _twin(self, peer: Peer, identity: Identity) -> Peer | None:
        """Returns the peer that the user named which is the same daemon.  Of discovered peers two may be two hosts with one id."""
        return next((p for p in self._peers if p is not peer and not p.discovered and p.state is PeerState.KNOWN and _same(p, identity)), None)

    def _list(self, peer: Peer) -> None:
        self._listed += peer.discovered and not peer.observed.listed
        peer.observed.listed = True

    def _unlist(self, peer: Peer) -> None:
        self._listed -= peer.discovered and peer.observed.listed
        peer.observed.listed = False
        self._holdings.replace(peer.slot, {})

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


def _same(peer: Peer, identity: Identity) -> bool:
    return peer.identity is not None and peer.identity.instance == identity.instance


def _read(answer: BodyAnswer) -> PeerInfo:
    return decode(unpack(answer.body, answer.header("Content-Encoding")))
