"""Which release is handed out, and what clients are told of it.  Rules only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pacserve.apt.releases import Release
from pacserve.apt.targets import Target
from pacserve.bounded import ExpiringMemory, FairMemory
from pacserve.http.validators import believed, is_to_come
from pacserve.network.addresses import IPAddress

# Seconds for which it is remembered which release a client was given: it may ask for an index of it much later.
GIVEN_LIFETIME = 7 * 24 * 3600.0
_GIVEN_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class KeptRelease:
    """
    A release as a mirror gave it.

    Attributes:
        url: Of the release: it ends with InRelease or Release.
        release: What it states.
        signature: The detached signature that a Release came with; empty for an InRelease, and where there is none.
        modified: Its Last-Modified in seconds since the epoch; None where the mirror stated none that can be.
        etag: Its entity tag; empty where the mirror stated none.
    """

    url: str
    release: Release
    signature: bytes
    modified: int | None
    etag: str

    def dated(self, now: float) -> int | None:
        """Returns when it was changed last, as apt is told: where the mirror does not say so the time at which it was made, if that can be."""
        return believed(self.release.date, now) if self.modified is None else self.modified

    @property
    def size(self) -> int:
        """The bytes that it takes."""
        return len(self.release.data) + len(self.signature)


def is_older(found: KeptRelease, former: KeptRelease, now: float) -> bool:
    """Returns whether a mirror has gone back to an earlier release: apt drops one without a word, and its indexes would not fit."""
    earlier, later = found.release.date, former.release.date
    return earlier is not None and later is not None and earlier < later and not is_to_come(later, now)


def is_torn(found: KeptRelease, former: KeptRelease) -> bool:
    """Returns whether a new Release has come with the signature of the former one: the mirror has not got the new signature yet."""
    return bool(found.signature) and found.signature == former.signature and found.release.data != former.release.data


def has_client(kept: KeptRelease, since: int | None, given: bytes | None, others: Iterable[KeptRelease], now: float) -> bool:
    """
    Returns whether a client need not be sent a release, since it has that one or a later one.

    Args:
        since: The time of the one that it has.
        given: The digest of the release that it was given last, where that is known.
        others: Those of the same suite that are kept.  Mirrors state seconds, and two releases may be of the same one, or the later have the earlier
            time: a client is never told that it has a release where it may have another one that is known.
    """
    dated = kept.dated(now)
    if since is None or dated is None or since < dated:
        return False
    if any(one.dated(now) == since and one.release.digest != kept.release.digest for one in others):
        return since == dated and given == kept.release.digest
    return True


@dataclass(frozen=True, slots=True)
class Given:
    """
    The release of a suite that a client has.

    Attributes:
        digest: That of the release; empty for one that it has from elsewhere.
    """

    url: str
    digest: bytes


class GivenReleases:
    """
    Remembers which release each client was given last, for each folder.

    Args:
        own: Returns whether an address is one of this host, whose memory others can't push out.
    """

    def __init__(self, own: Callable[[IPAddress], bool]) -> None:
        self._own = own
        self._here: ExpiringMemory[tuple[str, Target], Given] = ExpiringMemory(_GIVEN_LIMIT, GIVEN_LIFETIME)
        self._others: FairMemory[tuple[str, Target], Given] = FairMemory(_GIVEN_LIMIT, GIVEN_LIFETIME, lambda key: key[0])

    def give(self, client: IPAddress, folder: Target, given: Given, now: float) -> None:
        """Takes note that a client has a release from now on."""
        memory, key = self._memory(client)
        memory.remember((key, folder), given, now)

    def of(self, client: IPAddress, folder: Target, now: float) -> Given | None:
        """Returns the release that a client has; None where that is not known."""
        memory, key = self._memory(client)
        return memory.get((key, folder), now)

    def _memory(self, client: IPAddress) -> tuple[ExpiringMemory[tuple[str, Target], Given], str]:
        return (self._here, "") if self._own(client) else (self._others, str(client))
