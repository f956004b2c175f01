"""Tells the user, in the log, which peers are used, and why others are not."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from pacserve.peers.inventories import INVENTORIES_LIMIT
from pacserve.peers.peer import Peer, PeerState

# Seconds without a further peer after which those that were found are told, and the longest that the first of them waits: machines that find each
# other at the start do so within some tenths of a second.
SETTLING_TIME = 0.5
LONGEST_SETTLING = 3.0
# Peers that are named in one line; of more, their number is told.
NAMED_LIMIT = 50


class PeerNews:
    """Logs one line when something about a peer changed that a user may wonder about, and one for all peers that are found together."""

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._found: list[tuple[str, int]] = []
        self._first_at = 0.0
        self._timer: IDelayedCall | None = None

    def polled(self, peer: Peer) -> None:
        """Takes note of the state of a peer after a poll."""
        observed = peer.observed
        if (peer.state, peer.trouble) == observed.logged or (peer.discovered and not observed.verified):
            return
        observed.logged = (peer.state, peer.trouble)
        if peer.state is PeerState.KNOWN and peer.identity is not None:
            self._hold(peer.with_name(), peer.identity.count)
            return
        self.tell_found()  # before what happened to one of them since
        if peer.state is PeerState.DEAD and not (peer.literal or observed.addresses):
            self._log.warn(
                "--pacserver {peer} can't be found: {trouble}; check the name, or give the address", peer=peer.configured, trouble=peer.trouble
            )
        elif peer.state is PeerState.DEAD:
            self._log.info("peer {peer} does not answer: {trouble}", peer=peer.with_name(peer.configured), trouble=peer.trouble)
        elif peer.state is PeerState.REFUSED:
            self._log.info("peer {peer} is not used: {trouble}", peer=peer.with_name(peer.configured), trouble=peer.trouble)
        elif not peer.trouble and observed.brief_at is not None:
            self._log.info("peer {peer} is asked for each file, the daemons at its address have sent too much", peer=peer.with_name())
        elif not peer.trouble:
            self._log.info("peer {peer} is asked for each file, {count} inventories are known", peer=peer.with_name(), count=INVENTORIES_LIMIT)
        else:
            self._log.info("peer {peer} is asked for each file, its inventory can't be read: {trouble}", peer=peer.with_name(), trouble=peer.trouble)

    def dropped(self, peer: Peer) -> None:
        """Takes note of a peer that is not in the roster any more."""
        if peer.observed.logged is not None:
            self.tell_found()
            self._log.info("peer {peer} has gone", peer=peer.with_name(peer.configured))

    def tell_found(self) -> None:
        """Logs the peers that were found since the last time, in one line."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        found, self._found, self._timer = self._found, [], None
        if len(found) == 1:
            self._log.info("peer {peer} holds {count} files", peer=found[0][0], count=found[0][1])
        elif found:
            named = [f"{peer} holds {count} files" for peer, count in found[:NAMED_LIMIT]]
            more = [f"and {len(found) - NAMED_LIMIT} more"] if len(found) > NAMED_LIMIT else []
            self._log.info("{count} machines found: {peers}", count=len(found), peers=", ".join(named + more))

    def _hold(self, peer: str, count: int) -> None:
        """Waits with the line for a peer that was found, since others may be found at the same time."""
        now = self._clock.seconds()
        if self._timer is None:
            self._first_at = now
            self._timer = self._clock.callLater(SETTLING_TIME, self.tell_found)
        else:
            self._timer.reset(max(0.0, min(SETTLING_TIME, self._first_at + LONGEST_SETTLING - now)))
        self._found.append((peer, count))
