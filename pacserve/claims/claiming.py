"""One download per LAN: who wants to download a file asks its keeper whether somebody does already."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from pacserve.claims.claims import Claims, Verdict
from pacserve.claims.keeping import ClaimKeeper
from pacserve.claims.leader import Leader
from pacserve.claims.lease import Lease
from pacserve.claims.rendezvous import keepers
from pacserve.claims.round import CLAIM_BUDGET, KEEPERS_ASKED, Round, SlowKeepers, Tell
from pacserve.errors import FetchError, RemoteProtocolError
from pacserve.fetch.stream import StreamingClient
from pacserve.network.addresses import Endpoint, parse_address
from pacserve.packages.files import ExpectedFile, FileKind, FileRequest
from pacserve.peers import fields
from pacserve.peers.conduct import DISTRUST, Conduct, Outcome
from pacserve.peers.peer import Peer, PeerState
from pacserve.peers.roster import Roster
from pacserve.peers.urls import claim_url
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.leader_search import Claim, Claiming

_ANSWER_LIMIT = 1024
_WHERE = "/claim"
# What stands for the address of this host in its own table: no address of another one.
_HERE = ""


def claim_key(name: str, sha256: bytes) -> str:
    """What is claimed: hosts that expect different bytes under one name have different keys."""
    return f"{name}/{sha256.hex()}"


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
        raise RemoteProtocolError(f"{_WHERE}: who holds a claim follows nobody")
    return Verdict(fields.instance_id(follow, _WHERE), granted)


class PeerClaiming(Claiming):
    """
    Claims files with the peers that rendezvous hashing names, this host among them.

    Args:
        table: The claims that this host keeps.
        instance: This daemon's own instance id.
    """

    def __init__(self, peers: Roster, table: Claims, client: StreamingClient, clock: IReactorTime, instance: str) -> None:
        self._peers = peers
        self._table = table
        self._client = client
        self._clock = clock
        self._instance = instance
        self._conduct = Conduct()
        self._slow = SlowKeepers()

    async def claim(self, request: FileRequest, expected: ExpectedFile | None) -> Claim:
        if request.kind is not FileKind.PACKAGE or expected is None or expected.sha256 is None:
            return _PeerClaim(None, None)  # nobody could tell whether what another host gives is the right file
        sha256 = expected.sha256
        key = claim_key(request.name, sha256)
        known = self._known(request.name)
        order = keepers(key, [*known, self._instance])[:KEEPERS_ASKED]
        asked: list[tuple[str, Tell]] = [(keeper, _Told(self, keeper, known.get(keeper), key)) for keeper in order]
        try:
            verdict, tell = await Round(asked, self._slow, self._clock).run()
        except FetchError:
            return _PeerClaim(None, None)
        if verdict.granted:
            return _PeerClaim(None, Lease(tell, self._clock))
        endpoint = None if verdict.follow is None else known.get(verdict.follow)
        if endpoint is None or not self._conduct.may_be_followed(endpoint.host, self._clock.seconds()):
            return _PeerClaim(None, None)
        return _PeerClaim(Leader(endpoint, self._client, request, sha256, partial(self._note, endpoint.host)), None)

    async def ask(self, keeper: str, endpoint: Endpoint | None, key: str, what: str, timeout: float) -> Verdict:
        """
        Tells a keeper something.

        Args:
            endpoint: None where that is this host.

        Raises:
            FetchError: It does not answer.
        """
        if keeper == self._instance or endpoint is None:
            return keep(self._table, what, key, self._instance, _HERE, self._clock.seconds())
        answer = await self._client.post(claim_url(endpoint, what, key, self._instance), timeout=timeout, limit=_ANSWER_LIMIT)
        if answer.status != 200:
            raise RemoteProtocolError(f"it answers {answer.status}")
        return decode_verdict(answer.body)

    def _known(self, name: str) -> dict[str, Endpoint]:
        """
        Returns where the peers are that may hold a file of that name, by their instance ids.

        A peer with the id of this host, as a copy of a running machine has, can't be told from it.

        Anybody can state the id of another one: who was known first under it is asked.
        """
        now = self._clock.seconds()
        known: dict[str, Endpoint] = {}
        for peer in self._peers:
            instance = _instance(peer)
            if peer.endpoint is not None and peer.may_be_asked(now) and peer.offers(name) and instance not in ("", self._instance):
                known.setdefault(instance, peer.endpoint)
        return known

    def _note(self, host: str, outcome: Outcome) -> None:
        """A host was followed; what it did counts against its address, since it states its id itself."""
        now = self._clock.seconds()
        self._conduct.note(host, outcome, now)
        if outcome is Outcome.LIE:
            self._distrust(host, now)

    def _distrust(self, host: str, now: float) -> None:
        """A host served wrong bytes: for an hour it is not asked either, and gets no claim here."""
        for peer in self._peers:
            if peer.endpoint is not None and peer.endpoint.host == host:
                peer.asked_again_at = max(peer.asked_again_at, now + DISTRUST)
        self._table.distrust(str(parse_address(host)), now)


class KeptClaims(ClaimKeeper):
    """The claims of others, in a table."""

    def __init__(self, table: Claims, clock: IReactorTime) -> None:
        self._table = table
        self._clock = clock

    def keep(self, what: str, instance: str, key: str, source: str) -> bytes:
        return encode_verdict(keep(self._table, what, key, instance, source, self._clock.seconds()))


def keep(table: Claims, what: str, key: str, instance: str, source: str, now: float) -> Verdict:
    """
    Does what a host asks of the claims that are kept here.

    Args:
        what: `ask`, `renew`, `finish` or `release`.
    """
    if what == "ask":
        return table.ask(key, instance, source, now)
    if what == "renew":
        return Verdict(None, table.renew(key, instance, source, now))
    if what == "finish":
        table.finish(key, instance, source, now)
    else:
        table.release(key, instance, source, now)
    return Verdict(None, granted=False)


def _instance(peer: Peer) -> str:
    if peer.state not in (PeerState.KNOWN, PeerState.UNKNOWN) or peer.identity is None:
        return ""
    return peer.identity.instance


@dataclass(frozen=True, slots=True)
class _Told(Tell):
    claiming: PeerClaiming
    keeper: str
    endpoint: Endpoint | None
    key: str

    def __call__(self, what: str, timeout: float = CLAIM_BUDGET) -> Deferred[Verdict]:
        return Deferred.fromCoroutine(self.claiming.ask(self.keeper, self.endpoint, self.key, what, timeout))


class _PeerClaim(Claim):
    def __init__(self, leader: Upstream | None, lease: Lease | None) -> None:
        self._leader = leader
        self._lease = lease

    @property
    def leader(self) -> Upstream | None:
        return self._leader

    def end(self, *, kept: bool) -> None:
        if self._lease is not None:
            self._lease.end("finish" if kept else "release")
