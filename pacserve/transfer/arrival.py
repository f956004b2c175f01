"""The bytes of a download that have arrived: which answers continue them, and whether they are the file that was expected."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from io import FileIO

from pacserve.errors import FetchError, IntegrityError
from pacserve.fetch.answers import AnswerHead
from pacserve.http.partial import Version, continued_at, part_of, version_of
from pacserve.packages.files import SIGNATURE_LIMIT, ExpectedFile
from pacserve.packages.names import is_signature
from pacserve.packages.signatures import PREFIX_BYTES, may_begin_signature
from pacserve.sources.upstreams import Upstream
from pacserve.transfer.givers import Given, Givers
from pacserve.transfer.growing import GrowingFile
from pacserve.transfer.stores import KeptFile

# Bytes of a package whose size no database states: the largest of Arch has less than 3 GiB.
UNSTATED_SIZE_LIMIT = 4 << 30


class OtherVersionError(FetchError):
    """An answer can't be shown to continue what another source began to give: its source is to be asked for the whole file."""


class WrongDigestError(IntegrityError):
    """All bytes are here, and some of them are wrong."""


@dataclass(frozen=True, slots=True)
class Storage:
    """
    Where the bytes of a download are put, and how many of them.

    Attributes:
        create: Makes an empty file.
        has_room: True if the disk takes a file of so many bytes.
        limit: Bytes that are taken of a file whose size no database states: more would be an attempt to fill the disk.
        keep: Makes a file that survives when it does not become complete, or gives the one that an earlier download left; None for an empty file.
        discard: Removes a file that is not to be kept.
        may_begin: False if the file can't be what it is taken for when it begins with these bytes, `PREFIX_BYTES` of them.
    """

    create: Callable[[], FileIO]
    has_room: Callable[[int], bool] = lambda _: True
    limit: int = UNSTATED_SIZE_LIMIT
    may_begin: Callable[[bytes], bool] = lambda _: True
    keep: Callable[[], KeptFile | None] = lambda: None
    discard: Callable[[FileIO], object] = lambda _: None


def storage_of(name: str, create: Callable[[], FileIO], has_room: Callable[[int], bool]) -> Storage:
    """Returns where the bytes of a package file or of a signature are put, with what is known of any file of such a name."""
    return Storage(create, has_room, SIGNATURE_LIMIT, may_begin_signature) if is_signature(name) else Storage(create, has_room)


class Arrival:
    """
    The file of a download, as far as it has arrived.

    A source continues the bytes of another one only if both state the same size and an equal validator, and its own ones only under the strong entity
    tag that it stated before: of two hosts the tags may differ for one file, of one host they don't.  Otherwise the file is fetched again from the
    start into a new file, and its readers go on as far as both are provably the same.

    Args:
        late: Gives what the database states when the file has arrived, should it not have been known before.

    Attributes:
        expected: The size and digest that the database states; None where no database knows the file.
        file: The bytes that have arrived.
        files: That file, and the earlier ones where the download began again.
        version: The size and validators that its source stated.
        giver: The label of the source that gave the last bytes; empty where none has.
        givers: Which source gave which bytes of the file.
        total: Bytes that have arrived, those of earlier files among them.
        authoritative: True if all bytes of the file came from sources that speak for the repository.
    """

    def __init__(self, expected: ExpectedFile | None, storage: Storage, late: Callable[[], ExpectedFile | None] = lambda: None) -> None:
        self.expected = expected
        self.version: Version | None = None
        self.file = GrowingFile(storage.keep() or storage.create(), None if expected is None else expected.size)
        self.files = [self.file]
        self.total = 0
        self.authoritative = True
        self.giver = ""
        self.givers = Givers()
        self._storage = storage
        self._late = late
        # The strong entity tags under which sources gave bytes of this file.
        self._tags: dict[Upstream, str] = {}

    def request_headers(self, source: Upstream) -> dict[str, str]:
        """Returns the headers that ask a source for the bytes that are missing, or for all of them if its file has changed (RFC 9110, 13.1.5)."""
        if not self.file.written:
            return {}
        headers = {"Range": f"bytes={self.file.written}-"}
        if source in self._tags:
            headers["If-Range"] = self._tags[source]
        return headers

    @property
    def all_here(self) -> bool:
        """True if as many bytes are here as were stated."""
        return self.file.size is not None and self.file.written >= self.file.size

    @property
    def missing(self) -> int | None:
        """The number of bytes that are missing; None where no source has stated the size."""
        return None if self.file.size is None else self.file.size - self.file.written

    def is_all_from(self, source: Upstream) -> bool:
        """
        Returns whether all bytes came from one source.

        Where several gave some, or some were here from an earlier download, it can't be told which of them gave wrong ones, and the last is asked for
        the whole file.
        """
        shares = self.givers.shares
        return shares.keys() <= {source.label} and sum(shares.values()) >= self.file.written

    @property
    def only_giver(self) -> Upstream | None:
        """The source that all bytes came from; None where several gave some."""
        given = next(iter(self.givers), None)
        return given.giver if given is not None and self.is_all_from(given.giver) else None

    def is_continued_by(self, source: Upstream, answer: AnswerHead) -> bool:
        """Returns whether the answer of a source begins at the byte that is missing, of the same version of the file."""
        offset = self.file.written
        if not offset:
            return answer.status == 200
        size = continued_at(answer.header("Content-Range"), offset) if answer.status == 206 else None
        if size is None:
            return False
        if self.version is None:
            # All that is here is from an earlier download, under the digest that is stated: it is compared in the end.
            return self.expected is not None and size == self.expected.size
        version = version_of(answer.header, size)
        if version.etag and version.etag != self._tags.get(source, version.etag):
            return False
        return version.is_that_of(self.version)

    def begin(self, source: Upstream, answer: AnswerHead) -> None:
        """
        Gets ready for the body of an answer.

        Raises:
            FetchError: The answer is of no use.
            OtherVersionError: The source should be asked for the whole file.
            OSError: The disk can't take it.
        """
        if answer.status == 200:
            # The whole file, though only a part may have been asked for.
            if self.expected is not None and answer.length not in (None, self.expected.size):
                raise FetchError(f"it has {answer.length} bytes instead of {self.expected.size}")
            if self.expected is None and answer.length is not None:
                self._check_room(answer.length)
            if self.file.written or (self.expected is None and self.file.size not in (None, answer.length)):
                self.restart()
            self.version = version_of(answer.header, answer.length)
            if self.file.size is None and answer.length is not None:
                self.file.size = answer.length
                self.file.reserve()
        elif not self.is_continued_by(source, answer):
            # With nothing on disk no other request would get a better answer from this source.
            error = OtherVersionError if self.file.written else FetchError
            self.restart()
            raise error(f"{answer.status}: what it has can't be shown to be the same file")
        elif self.version is None:
            self.version = version_of(answer.header, self.file.size)
        if not source.trusted:
            self.file.hold()
        etag = version_of(answer.header, None).etag
        if etag:
            self._tags[source] = etag

    def begin_part(self, source: Upstream, answer: AnswerHead, first: int, end: int) -> None:
        """
        Gets ready for the body of an answer that is to hold a part of a file whose size is stated.

        Args:
            first: The first byte of the part.
            end: The byte behind its last one.

        Raises:
            FetchError: It holds anything else.
            OtherVersionError: It can't be shown to be of the same file as the parts of other sources.
        """
        if answer.status == 416:
            raise OtherVersionError("its file is shorter")
        if answer.status != 206:
            raise FetchError(f"{answer.status} instead of a part of the file")
        part = part_of(answer.header("Content-Range"))
        if part is None or (part.first, part.end) != (first, end):
            raise FetchError("it gives another part of the file than it was asked for")
        if part.size != self.file.size:
            raise OtherVersionError(f"its file has {part.size} bytes instead of {self.file.size}")
        version = version_of(answer.header, part.size)
        if self.version is None:
            self.version = version
        # Without any validator the size has to do: the digest is compared in the end.
        if not (version.is_that_of(self.version) or (not version.validator and version == self.version)):
            raise OtherVersionError("it can't be shown to be the same file")
        if version.etag and version.etag != self._tags.setdefault(source, version.etag):
            raise OtherVersionError("the file has changed meanwhile")
        self.file.held = self.file.held or not source.trusted

    def part_headers(self, source: Upstream, first: int, end: int) -> dict[str, str]:
        """Returns the headers that ask a source for a part of the file, or for all of it if it has changed (RFC 9110, 13.1.5)."""
        headers = {"Range": f"bytes={first}-{end - 1}"}
        if source in self._tags:
            headers["If-Range"] = self._tags[source]
        return headers

    def add(self, source: Upstream, data: bytes) -> None:
        """
        Takes the next bytes of the file.

        Raises:
            IntegrityError: They are too many.
            OSError: They can't be written.
        """
        limit = self._storage.limit if self.file.size is None else self.file.size
        if self.file.written + len(data) > limit:
            raise IntegrityError(f"it sent more than {limit} bytes")
        self._count(source, self.file.written, len(data))
        self.file.write(data)

    def place(self, source: Upstream, offset: int, data: bytes) -> None:
        """
        Takes bytes of the file, the next ones or later ones.

        Args:
            offset: Where they belong; not before the bytes that are here from the start on, nor beyond the size that is stated.

        Raises:
            OSError: They can't be written.
        """
        if offset == self.file.written:
            self.add(source, data)
        else:
            self.set_aside(source, offset, data)

    def set_aside(self, source: Upstream, offset: int, data: bytes) -> None:
        """
        Takes bytes of the file which readers are not given before `GrowingFile.take_in`, though they be the next ones.

        Args:
            offset: Where they belong; not before the bytes that are here from the start on, nor beyond the size that is stated.

        Raises:
            OSError: They can't be written.
        """
        self._count(source, offset, len(data))
        self.file.place(offset, data)

    def credit(self, given: Given) -> None:
        """Takes note that bytes of the file are those that a source gave, which were taken over from an earlier file."""
        self.givers.add(given.first, given.end, given.giver)
        self.authoritative = self.authoritative and given.giver.authoritative

    def _count(self, source: Upstream, offset: int, count: int) -> None:
        self.givers.add(offset, offset + count, source)
        self.giver = source.label
        self.authoritative = self.authoritative and source.authoritative
        self.total += count

    def finish(self) -> None:
        """
        Checks the file after its last byte.

        Raises:
            FetchError: Bytes are missing.
            IntegrityError: It is not the file that the database states.
            WrongDigestError: Its digest alone tells that.
        """
        file = self.file
        if file.size is not None and file.written < file.size:
            raise FetchError(f"it ended after {file.written} of {file.size} bytes")
        if file.size is None:
            file.size = file.written
        if not self._storage.may_begin(os.pread(file.file.fileno(), PREFIX_BYTES, 0)):
            raise IntegrityError("it is no such file, but perhaps a page that explains something")
        if self.expected is None:
            self.expected = self._late()
        if self.expected is None:
            return
        if file.size != self.expected.size:
            raise IntegrityError(f"it has {file.size} bytes instead of {self.expected.size}")
        if self.expected.sha256 not in (None, file.sha256):
            raise WrongDigestError("its SHA-256 is not the one of the database")

    def restart(self) -> None:
        """
        Begins again in a new file.

        The file before keeps as much of the disk as has arrived, and those before that nothing: their readers can't go on.

        Raises:
            OSError: There is no room for one more.
        """
        before = self.file
        for old in self.files[:-1]:
            old.cut(0)
        before.cut(before.written)
        self._storage.discard(before.file)
        self.file = GrowingFile(self._storage.keep() or self._storage.create(), None if self.expected is None else self.expected.size, before)
        self.files.append(self.file)
        self.version = None
        self.authoritative = True
        self.givers = Givers()
        self._tags.clear()
        before.replace(self.file)
        self.file.reserve()

    def _check_room(self, size: int) -> None:
        """
        Checks the size that a source states of a file whose size no database states.

        Raises:
            FetchError: It is too large.
        """
        if size > self._storage.limit:
            raise FetchError(f"it has {size} bytes, and more than {self._storage.limit} are not taken")
        if not self._storage.has_room(size):
            raise FetchError(f"the disk has no room for its {size} bytes")
