"""Which client was sent where: a client that comes back for the same file was not served well there."""

from __future__ import annotations

from pacserve.bounded import FairMemory
from pacserve.network.addresses import IPAddress

# Seconds for which it is remembered that a client was sent to a peer for a file: a person who runs pacman a second time does so within this time.
MEMORY = 3600.0
# Clients and files, of which each takes some 300 bytes.  A client has a quarter of them, so that one that asks for everything can't have it forgotten
# where the others were sent.
ENTRIES_LIMIT = 40_000
_NONE: frozenset[str] = frozenset()


class History:
    """
    Remembers for an hour which client was sent to which peer for which file.

    pacman gives no reason when it comes back: the peer may have died in mid-file, may have lacked the signature or have had wrong bytes under the
    right name.  So that peer comes last, and what it gives is checked this time, where that can be done.
    """

    def __init__(self) -> None:
        # The bytes of an address are hashed in a fifth of the time that the address takes.
        self._sent: FairMemory[tuple[bytes, str], frozenset[str]] = FairMemory(ENTRIES_LIMIT, MEMORY, lambda key: key[0])

    def sent(self, client: IPAddress, name: str, holder: str, now: float) -> None:
        """Remembers that the client was sent to the peer `holder` for the file `name`."""
        key = client.packed, name
        known = self._sent.get(key, now)
        self._sent.remember(key, frozenset((holder,)) if known is None else known | {holder}, now)

    def holders(self, client: IPAddress, name: str, now: float) -> frozenset[str]:
        """Returns the peers that this client was sent to for this file within the last hour."""
        return self._sent.get((client.packed, name), now) or _NONE
