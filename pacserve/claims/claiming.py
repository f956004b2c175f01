"""One download per LAN: a host that wants to download a file asks its keeper whether another host does already."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from twisted.internet.defer import Deferred, execute
from twisted.internet.interfaces import IReactorTime

from pacserve.claims.claims import OWN, Claims, Verdict
from pacserve.claims.following import Following
from pacserve.claims.keepers import KEEPERS_ASKED, MESSAGE_TIMEOUT, Keeper, KeeperCall, KeeperRound, rank_keepers
from pacserve.claims.leader import Leader
from pacserve.claims.lease import Lease
from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.stream import StreamingClient
from pacserve.http.request import path_part
from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.network.addresses import Endpoint
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.peers import fields
from pacserve.peers.peer import Peer, PeerState
from pacserve.peers.roster import Roster
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.leader_search import Claim, Claiming

# Bytes of an answer to a claim; ours have some 70.
_ANSWER_LIMIT = 1024
# Leaders that are asked for until one is known here: a host that has just come is known to its keeper first, and ids can be made up.
LEADERS_NAMED = 3
_WHERE = "/claim"


def claim_key(name: str, sha256: bytes) -> str:
    """Returns the key of a claim: hosts that expect different bytes under one name have different keys."""
    return f"{name}/{sha256.hex()}"


def claim_url(peer: Endpoint, action: str, key: str, instance: str, written: int) -> str:
    """
    Returns the URL at which a peer is told of a download (docs/protocol.md).

    Args:
        action: `ask`, `renew`, `report`, `finish` or `release`.
        written: The bytes that this host has of the file.
    """
    return f"{peer.url}/claim/{action}/{instance}/{'/'.join(map(path_part, key.split('/')))}?written={written}"


def encode_verdict(verdict: Verdict) -> bytes:
    """Returns the JSON text of an answer to a claim."""
    return json.dumps({"follow": verdict.follow, "granted": verdict.granted}).encode()


def decode_verdict(text: bytes) -> Verdict:
    """
    Reads an answer to a claim.

    Raises:
        RemoteProtocolError: It is none.
    """
    document = fields.parse_object(text, _WHERE)
    follow, granted = document.get("follow"), document.get("granted")
    if not isinstance(granted, bool):
        raise RemoteProtocolError(f"{_WHERE}: granted is neither true nor false")
    if follow is None:
        return Verdict(None, granted)
    if granted:
        raise RemoteProtocolError(f"{_WHERE}: the holder of a claim follows no other host")
    return Verdict(fields.instance_id(follow, _WHERE), granted)


class PeerClaiming(Claiming):
    """
    Claims files with the peers that rendezvous hashing names, this host among them.

    The first of them decides.  A host that did not hear it, since one of the two is busy, downloads the file meanwhile, and goes on asking: when the
    keeper is heard in the end, and names another host, the two downloads become one.

    Args:
        table: The claims that this host keeps.
        instance: This daemon's own instance id.
    """

    def __init__(
        self, peers: Roster, table: Claims, client: StreamingClient, clock: IReactorTime, instance: str, lateness: Lateness = PUNCTUAL
    ) -> None:
        self._peers = peers
        self._table = table
        self._client = client
        self._clock = clock
        self._instance = instance
        self._lateness = lateness

    async def claim(self, request: FileRequest, expected: ExpectedFile | None, written: Callable[[], int]) -> Claim:
        if request.kind is FileKind.DATABASE or expected is None or expected.sha256 is None:
            return _PeerClaim()  # nothing would tell whether another host downloads the same file
        key = claim_key(request.name, expected.sha256)
        known = self._known(request.name)
        order = rank_keepers(key, [*known, self._instance])[:KEEPERS_ASKED]
        keepers = [self._keeper(instance, known, key, written) for instance in order]
        find = partial(self._leader, request, expected.sha256)
        try:
            verdict, keeper = await KeeperRound(keepers, self._clock, self._lateness).run()
            if verdict.follow is not None:
                return await self._followed(verdict, keeper, find)
        except FetchError:
            return _PeerClaim(find).held_with(keepers[:1], self._clock)
        if not verdict.granted:
            return _PeerClaim()
        return _PeerClaim(find).held_with([keeper, *(first for first in keepers[:1] if first is not keeper)], self._clock)

    async def _followed(self, verdict: Verdict, keeper: Keeper, find: Callable[[str], Leader | None]) -> _PeerClaim:
        """
        Returns a claim of another host, with the leader that the keeper names.

        Raises:
            FetchError: The keeper does not answer any more.
        """
        named: list[str] = []
        while verdict.follow is not None and verdict.follow not in named:
            leader = find(verdict.follow)
            if leader is not None:
                return _PeerClaim(find, leader).following(keeper, self._clock, verdict.follow)
            named.append(verdict.follow)
            if len(named) == LEADERS_NAMED:
                break
            verdict = await keeper.call("ask")
        return _PeerClaim(find).held_with([keeper], self._clock) if verdict.granted else _PeerClaim()

    def _leader(self, request: FileRequest, sha256: bytes, instance: str) -> Leader | None:
        """
        Returns the host to follow that a keeper has named; None where it may not be followed.

        A leader that is not known is ignored: no keeper makes this host talk to an address of the keeper's choice.
        """
        endpoint, peer = self._known(request.name).get(instance, (None, None))
        if endpoint is None or peer is None or not peer.reputation.may_be_followed(self._clock.seconds()):
            return None
        return Leader(endpoint, self._client, request, sha256, self._peers.reputations, self._clock)

    def _known(self, name: str) -> dict[str, tuple[Endpoint, Peer]]:
        """
        Returns the usable peers that may hold a file of that name, by their instance ids.

        A copy of this machine, which has the same id, can't be told from it and is left out.

        Any host can state the id of another one: the one that was known first under it is asked.
        """
        now = self._clock.seconds()
        known: dict[str, tuple[Endpoint, Peer]] = {}
        for peer in self._peers:
            instance = _instance(peer)
            if peer.endpoint is not None and peer.may_be_asked(now) and peer.offers(name) and instance not in ("", self._instance):
                known.setdefault(instance, (peer.endpoint, peer))
        return known

    def _keeper(self, instance: str, known: dict[str, tuple[Endpoint, Peer]], key: str, written: Callable[[], int]) -> Keeper:
        if instance not in known:
            return Keeper(instance, _OwnTable(self._table, self._clock, key, self._instance, written), None)
        endpoint, peer = known[instance]
        return Keeper(instance, _RemoteKeeper(self._client, endpoint, key, self._instance, written), peer.reputation)


class ClaimKeeper(Protocol):
    """Keeps the claims of other hosts."""

    @abstractmethod
    def keep(self, action: str, instance: str, key: str, source: str, written: int | None) -> bytes:
        """
        Does what a host asks, and returns the answer as it is sent.

        Args:
            action: `ask`, `renew`, `report`, `finish` or `release`.
            instance: The host's instance id, as it states it.
            key: The file that is claimed.
            source: The address that the host asks from.
            written: The bytes of the file that it says it has; None where it does not say.
        """


class LocalKeeper(ClaimKeeper):
    """Keeps the claims of other hosts in the table of this one."""

    def __init__(self, table: Claims, clock: IReactorTime) -> None:
        self._table = table
        self._clock = clock

    def keep(self, action: str, instance: str, key: str, source: str, written: int | None) -> bytes:
        return encode_verdict(self._table.handle(action, key, instance, source, self._clock.seconds(), written))


@dataclass(frozen=True, slots=True)
class _OwnTable(KeeperCall):
    """Claims a file for this host in its own table."""

    table: Claims
    clock: IReactorTime
    key: str
    instance: str
    written: Callable[[], int]

    def __call__(self, action: str, timeout: float = MESSAGE_TIMEOUT) -> Deferred[Verdict]:
        return execute(self.table.handle, action, self.key, self.instance, OWN, self.clock.seconds(), self.written())


@dataclass(frozen=True, slots=True)
class _RemoteKeeper(KeeperCall):
    """Claims a file for this host with a peer."""

    client: StreamingClient
    endpoint: Endpoint
    key: str
    instance: str
    written: Callable[[], int]

    def __call__(self, action: str, timeout: float = MESSAGE_TIMEOUT) -> Deferred[Verdict]:
        return Deferred.fromCoroutine(self._post(action, timeout))

    async def _post(self, action: str, timeout: float) -> Verdict:
        url = claim_url(self.endpoint, action, self.key, self.instance, self.written())
        answer = await self.client.post(url, timeout=timeout, limit=_ANSWER_LIMIT)
        if answer.status != 200:
            raise RemoteProtocolError(f"it answers {answer.status}")
        return decode_verdict(answer.body)


class _PeerClaim(Claim):
    """
    A claim that is held with any number of keepers, or a host to follow.

    Args:
        find: Gives the leader of an instance id, where it may be followed.
    """

    def __init__(self, find: Callable[[str], Upstream | None] = lambda _: None, leader: Upstream | None = None) -> None:
        self._find = find
        self._leader = leader
        self._leases: list[Lease] = []
        self._following: Following | None = None
        self._lost: Callable[[], object] = _ignored

    def held_with(self, keepers: Sequence[Keeper], clock: IReactorTime) -> _PeerClaim:
        """Shows these keepers from now on that the download goes on; returns this claim."""
        self._leases = [Lease(keeper.call, clock, partial(self._lost_to, keeper, clock)) for keeper in keepers]
        return self

    def following(self, keeper: Keeper, clock: IReactorTime, leader: str) -> _PeerClaim:
        """Tells the keeper from now on how far this host is, and takes note when it names another leader; returns this claim."""
        self._following = Following(keeper.call, clock, leader, self._moved)
        return self

    @property
    def leader(self) -> Upstream | None:
        return self._leader

    def watch(self, lost: Callable[[], object]) -> None:
        self._lost = lost

    def end(self, *, kept: bool) -> None:
        if self._following is not None:
            self._following.end()
        for lease in self._leases:
            lease.end("finish" if kept else "release")

    def _lost_to(self, keeper: Keeper, clock: IReactorTime, instance: str) -> None:
        """Takes note that another host holds the claim: this one follows from now on, and says so to the keeper that it learned it from."""
        if self._following is None:
            self.following(keeper, clock, instance)
        self._moved(instance)

    def _moved(self, instance: str) -> None:
        """Takes note that another host is to be followed."""
        leader = self._find(instance)
        if leader is not None:
            self._leader = leader
            self._lost()


def _ignored() -> None:
    return


def _instance(peer: Peer) -> str:
    if peer.state not in (PeerState.KNOWN, PeerState.UNKNOWN) or peer.identity is None:
        return ""
    return peer.identity.instance
