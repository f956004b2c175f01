"""The question to one peer: does it have this file?"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime

from pacserve.bounded import ExpiringMemory
from pacserve.errors import AbsentError, FetchError, RemoteProtocolError
from pacserve.fetch.client import HTTPClient
from pacserve.lateness import PUNCTUAL, Lateness
from pacserve.network.addresses import Endpoint
from pacserve.packages.files import SIGNATURE_LIMIT, FileKind
from pacserve.peers.holdings import Holdings
from pacserve.peers.peer import Peer, PeerState
from pacserve.peers.reputation import Failure
from pacserve.peers.roster import Roster
from pacserve.peers.upstream import package_url
from pacserve.sources.candidates import Wanted

# Seconds that a holder has to say whether it has a file: what a request may lose by asking before it goes to a mirror.
CONFIRM_BUDGET = 0.15
# Seconds that a holder has for a signature, which no other place gives: pacman asks once, and an error ends its transaction.
SIGNATURE_BUDGET = 2.0
# Seconds after which the next holder is asked as well: some ten times what an idle one needs.
HEDGE_DELAY = 0.01
# Seconds that peers have which probably have not got the file.  A wrong "no" costs bytes of the WAN, waiting costs each miss.
MISS_BUDGET = 0.05
# Seconds that these budgets may become on a host that is late itself: of the 10 s that pacman waits most are for the mirrors.
LONGEST_CONFIRM_BUDGET = 1.0
LONGEST_MISS_BUDGET = 0.5
# Seconds for which a peer that was slow to say something is taken to be alive after it was looked at.
DOUBT_INTERVAL = 2.0
# Seconds for which a yes holds, so that a burst of requests for one file asks once.
YES_LIFETIME = 1.0
_YESES_LIMIT = 4096


class PeerQuestions:
    """
    Asks peers by HEAD, and takes note of how well they answer.

    Args:
        suspect: Called with a peer that did not answer a question and with the reason, which is empty for one that was slow.
    """

    def __init__(
        self,
        peers: Roster,
        holdings: Holdings,
        client: HTTPClient,
        suspect: Callable[[Peer, str], object],
        clock: IReactorTime,
        lateness: Lateness = PUNCTUAL,
    ) -> None:
        self._peers = peers
        self._holdings = holdings
        self._client = client
        self._suspect = suspect
        self._clock = clock
        self._lateness = lateness
        self._yeses: ExpiringMemory[tuple[Endpoint, str], int] = ExpiringMemory(_YESES_LIMIT, YES_LIFETIME)

    def remembered(self, wanted: Wanted, peer: Peer, size: int | None) -> int | None:
        """Returns the size of the file at a peer that said yes a moment ago; None if the peer has to be asked."""
        if peer.endpoint is None:
            return None
        held = self._yeses.get((peer.endpoint, wanted.request.name), self._clock.seconds())
        if held is None or not fits(wanted, held) or size not in (None, held):
            return None
        return held

    async def confirm(self, wanted: Wanted, peer: Peer, size: int | None, deadline: float) -> int:
        """
        Asks a peer whether it has the file, and returns the size.  A peer that does not say so is not asked again for a while.

        Args:
            size: The only size that will do, in bytes; None for any that the file may have.

        Raises:
            AbsentError: The peer has no such file, or another one.
            FetchError: The peer did not say so in time.
        """
        now = self._clock.seconds()
        budget = self._lateness.widened(CONFIRM_BUDGET, LONGEST_CONFIRM_BUDGET)
        if deadline - now < budget:  # the peer would be blamed for what it had no time to do
            raise FetchError(f"peer {peer.endpoint}: no time left to ask it")
        if wanted.request.kind is FileKind.SIGNATURE:
            budget = min(SIGNATURE_BUDGET, deadline - now)
        try:
            found = await self._ask(wanted, peer, size, budget)
        except AbsentError:
            if self._peers.at(peer.slot) is peer:  # it may have been dropped meanwhile, and its slot be another one's
                self._holdings.remove(peer.slot, wanted.request.name)
            self._answered(peer, now)
            raise
        except FetchError as error:
            if peer.reputation.failed(Failure.SILENT, self._clock.seconds()) and not isinstance(error, RemoteProtocolError):
                self._suspect(peer, str(error))
            raise FetchError(f"peer {peer.endpoint}: {error}") from error
        except CancelledError:  # another peer was faster
            passed = self._clock.seconds() - now
            if passed >= HEDGE_DELAY:
                peer.reputation.slow(passed, now + passed)
                self._doubt(peer)
            raise
        self._answered(peer, now)
        return found

    async def look_in(self, wanted: Wanted, peer: Peer, deadline: float) -> int:
        """
        Asks a peer that probably does not have the file, and returns the size.  A peer that is too slow for that is polled, but not blamed.

        Raises:
            AbsentError: The peer has no such file, or one that will not do.
            FetchError: The peer did not say so in time.
        """
        if peer.state is PeerState.UNKNOWN and not peer.discovered:
            return await self.confirm(wanted, peer, wanted.size, deadline)
        try:
            return await self._ask(wanted, peer, wanted.size, self._lateness.widened(MISS_BUDGET, LONGEST_MISS_BUDGET))
        except AbsentError:
            raise
        except FetchError as error:
            self._doubt(peer)
            raise FetchError(f"peer {peer.endpoint}: {error}") from error

    async def _ask(self, wanted: Wanted, peer: Peer, size: int | None, budget: float) -> int:
        name, endpoint = wanted.request.name, peer.endpoint
        if endpoint is None:
            raise FetchError("no address")
        answer = await self._client.head(package_url(endpoint, name), timeout=budget)
        if answer.status not in (200, 404, 410):
            raise RemoteProtocolError(f"it answers {answer.status}")
        length = answer.length
        if answer.status != 200 or length is None or not fits(wanted, length) or (size is not None and length != size):
            raise AbsentError(f"peer {endpoint}: " + (f"{answer.status}" if answer.status != 200 else f"another size ({length})"))
        self._yeses.remember((endpoint, name), length, self._clock.seconds())
        return length

    def _doubt(self, peer: Peer) -> None:
        """Has a slow peer polled, unless it has shown a moment ago that it is alive: a busy host is slow, too."""
        if self._clock.seconds() - peer.alive_at >= DOUBT_INTERVAL:
            self._suspect(peer, "")

    def _answered(self, peer: Peer, asked_at: float) -> None:
        now = self._clock.seconds()
        peer.reputation.answered(now - asked_at, now)


def fits(wanted: Wanted, size: int) -> bool:
    """Returns whether a file of this size can be the one that is wanted."""
    if wanted.request.kind is FileKind.SIGNATURE:
        return 1 <= size <= SIGNATURE_LIMIT
    return size > 0 if wanted.size is None else size == wanted.size
