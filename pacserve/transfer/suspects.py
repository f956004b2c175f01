"""The sources that may have given wrong bytes of a file, and of which of their bytes another source gave a copy.  Rules only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pacserve.errors import FetchError
from pacserve.fetch.answers import IncomingBody
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.givers import Givers
from pacserve.transfer.spans import Span, Spans


class _Unknown(Upstream):
    """Stands for the source of bytes of which it is not known any more."""

    @property
    def label(self) -> str:
        return "an earlier download"

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> IncomingBody:
        raise FetchError("nobody can be asked")

    def succeeded(self) -> None:
        return

    def failed(self) -> None:
        return

    def lied(self) -> None:
        return


UNKNOWN = _Unknown()


class Suspects:
    """
    Knows who gave the bytes of a file that is wrong, and which of them came a second time.

    Args:
        given: Who gave them.
        size: The bytes of the file.
        upstreams: The sources as they are asked again: two of one label are one host.

    Attributes:
        before: Who gave each byte, without a gap.
    """

    def __init__(self, given: Givers, size: int, upstreams: Sequence[Upstream] = ()) -> None:
        self.before = Givers()
        self.before.add(0, size, UNKNOWN)
        same = {upstream.label: upstream for upstream in upstreams}
        for one in given:
            self.before.add(one.first, min(one.end, size), same.get(one.giver.label, one.giver))
        self._alone: Counter[str] = Counter()
        for one in self.before:
            self._alone[one.giver.label] += one.end - one.first

    def copied(self, first: int, end: int) -> list[Upstream]:
        """
        Takes note that another source gave these bytes as well, each byte once.

        Returns:
            The sources all of whose bytes came from another one by now, and did not before.
        """
        ready = []
        for given in self.before.between(first, end):
            self._alone[given.giver.label] -= given.end - given.first
            if not self._alone[given.giver.label]:
                ready.append(given.giver)
        return ready

    def given_by(self, suspect: Upstream) -> Sequence[Span]:
        """Returns the bytes that a source gave, in their order."""
        spans = Spans((given.first, given.end) for given in self.before if given.giver is suspect)
        return list(spans)
