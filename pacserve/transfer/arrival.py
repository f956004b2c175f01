"""What has arrived of a file: which answers go on with it, and whether it is what it should be."""

from __future__ import annotations

from collections.abc import Callable
from io import FileIO

from pacserve.errors import FetchError, IntegrityError
from pacserve.fetch.answers import AnswerHead
from pacserve.http.partial import Version, continued_at, version_of
from pacserve.packages.files import ExpectedFile
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.growing import GrowingFile

Create = Callable[[], FileIO]


class OtherVersionError(FetchError):
    """What a source has can't be shown to be what another one began to give: it is to be asked for all of it."""


class Arrival:
    """
    The file of a download in the spool.

    What one source began another one continues only if both state the same size and an equal validator.  Otherwise the file is fetched again from
    the start into a new spool file, and its readers go on as far as both are provably the same.

    Args:
        create: Makes an empty file in the spool.
        most: Bytes that are taken of a file whose size no database states: more would be an attempt to fill the disk.
        has_room: True if the disk takes a file of so many bytes.
        late: Gives what the database states when the file has arrived, should it not have been known before.

    Attributes:
        expected: What the database states; None where no database knows the file.
        file: What has arrived.
        files: That, and what had arrived each time that it was begun again.
        version: What the source of it said.
        giver: The label of the source that gave the last of it.
        total: Bytes that have arrived, those of files that were begun again among them.
    """

    def __init__(
        self, expected: ExpectedFile | None, create: Create, late: Callable[[], ExpectedFile | None], most: int, has_room: Callable[[int], bool]
    ) -> None:
        self.expected = expected
        self.version: Version | None = None
        self.file = GrowingFile(create(), None if expected is None else expected.size)
        self.files = [self.file]
        self.total = 0
        self.giver = ""
        self._create = create
        self._late = late
        self._most = most
        self._has_room = has_room
        self._givers: set[str] = set()

    @property
    def wanted(self) -> dict[str, str]:
        """The headers that ask for what is missing."""
        return {"Range": f"bytes={self.file.written}-"} if self.file.written else {}

    @property
    def all_here(self) -> bool:
        """True if as much is here as was stated."""
        return self.file.size is not None and self.file.written >= self.file.size

    @property
    def missing(self) -> int | None:
        """Bytes; None where nobody has stated the size."""
        return None if self.file.size is None else self.file.size - self.file.written

    def is_of(self, source: Upstream) -> bool:
        """Returns whether all that is here came from one source: of several nobody knows which one was wrong, and the last is asked for all of it."""
        return self._givers <= {source.label}

    def goes_on(self, answer: AnswerHead) -> bool:
        """Returns whether an answer is a continuation of what is here."""
        offset = self.file.written
        if not offset:
            return answer.status == 200
        size = continued_at(answer.header("Content-Range"), offset) if answer.status == 206 else None
        return size is not None and self.version is not None and version_of(answer.header, size).is_that_of(self.version)

    def begin(self, source: Upstream, answer: AnswerHead) -> None:
        """
        Gets ready for the body of an answer.

        Raises:
            FetchError: It is no use.
            OtherVersionError: It would be some when the source were asked for all of the file.
            OSError: The spool can't take it.
        """
        if answer.status == 200:
            if self.expected is not None and answer.length not in (None, self.expected.size):
                raise FetchError(f"it has {answer.length} bytes instead of {self.expected.size}")
            if self.expected is None and answer.length is not None:
                self._check(answer.length)
            if self.file.written or (self.expected is None and self.file.size not in (None, answer.length)):
                self.restart()
            self.version = version_of(answer.header, answer.length)
            if self.file.size is None and answer.length is not None:
                self.file.size = answer.length
                self.file.reserve()
        elif not self.goes_on(answer):
            error = OtherVersionError if self.file.written else FetchError
            self.restart()
            raise error(f"{answer.status}: what it has can't be shown to be the same file")
        self.file.held = self.file.held or not source.trusted

    def _check(self, size: int) -> None:
        """
        Whether a file may have the size that a source states.

        Raises:
            FetchError: It may not.
        """
        if size > self._most:
            raise FetchError(f"it has {size} bytes, and more than {self._most} are not taken")
        if not self._has_room(size):
            raise FetchError(f"the disk has no room for its {size} bytes")

    def add(self, source: Upstream, data: bytes) -> None:
        """
        Takes what a source gives.

        Raises:
            IntegrityError: It is too much.
            OSError: It can't be written.
        """
        most = self._most if self.file.size is None else self.file.size
        if self.file.written + len(data) > most:
            raise IntegrityError(f"it sent more than {most} bytes")
        self._givers.add(source.label)
        self.giver = source.label
        self.total += len(data)
        self.file.write(data)

    def finish(self) -> None:
        """
        Checks what has arrived.

        Raises:
            FetchError: It is not all.
            IntegrityError: It is not what the database states.
        """
        file = self.file
        if file.size is not None and file.written < file.size:
            raise FetchError(f"it ended after {file.written} of {file.size} bytes")
        if file.size is None:
            file.size = file.written
        if self.expected is None:
            self.expected = self._late()
        if self.expected is None:
            return
        if file.size != self.expected.size:
            raise IntegrityError(f"it has {file.size} bytes instead of {self.expected.size}")
        if self.expected.sha256 not in (None, file.sha256):
            raise IntegrityError("its SHA-256 is not the one of the database")

    def restart(self) -> None:
        """
        Begins again in a new file.

        Of the one before as much is kept as has arrived, and nothing of those before that: who still reads these can't go on.

        Raises:
            OSError: There is no room for one more.
        """
        before = self.file
        for old in self.files[:-1]:
            old.cut(0)
        before.cut(before.written)
        self.file = GrowingFile(self._create(), None if self.expected is None else self.expected.size, before)
        self.files.append(self.file)
        self.version = None
        self._givers.clear()
        before.replace(self.file)
        self.file.reserve()
