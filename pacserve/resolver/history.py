"""Who was sent where: a client that comes back for the same file was not served well there."""

from __future__ import annotations

from pacserve.network.addresses import IPAddress

# Seconds for which a holder is not named again for a file: a person who runs pacman a second time does so within this time.
MEMORY = 3600.0
# Entries; one is some 300 bytes.  The oldest go first.
ENTRIES_LIMIT = 10_000


class History:
    """
    Remembers for an hour which client was sent to which holder for which file.

    pacman gives no reason when it comes back: the holder may have died in mid-file, may have lacked the signature or have had wrong bytes under the
    right name.  None of these is worth a second try, while the mirrors are.
    """

    def __init__(self) -> None:
        self._sent: dict[tuple[IPAddress, str], tuple[float, frozenset[str]]] = {}

    def sent(self, client: IPAddress, name: str, holder: str, now: float) -> None:
        """The client was sent to `holder` for the file `name`."""
        holders = self.holders(client, name, now) | {holder}
        self._sent.pop((client, name), None)
        while len(self._sent) >= ENTRIES_LIMIT:
            del self._sent[next(iter(self._sent))]
        self._sent[client, name] = (now, holders)

    def holders(self, client: IPAddress, name: str, now: float) -> frozenset[str]:
        """Returns the holders that this client was sent to for this file within the last hour."""
        known = self._sent.get((client, name))
        if known is None or not 0 <= now - known[0] < MEMORY:
            return frozenset()
        return known[1]
