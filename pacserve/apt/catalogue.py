"""The catalogue of files that are shared by content: the digest stands in the name, and the size is known once somebody has asked for the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pacserve.apt.content import StatedFile
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import ExpectedFile
from pacserve.packages.names import parse_content_name

# Files of which it is remembered how large they are: more than any upgrade has.  A file that is forgotten is asked for again with its size.
_FILES_LIMIT = 32_768


class ContentCatalogue(Catalogue):
    """
    Knows what is stated of files that are shared by content.

    The front states each file before it asks for it: what apt has verified says so, and no file is ever looked up by its name in the LAN alone.
    """

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def state(self, file: StatedFile) -> None:
        """Takes note of the size of a file."""
        self._sizes.pop(file.name, None)
        self._sizes[file.name] = file.size
        if len(self._sizes) > _FILES_LIMIT:
            del self._sizes[next(iter(self._sizes))]

    @property
    def revision(self) -> int:
        return 0  # a name states the same at all times

    async def refresh(self, repo: str, name: str | None = None) -> None:
        return

    async def refresh_all(self) -> None:
        return

    async def refresh_unknown(self) -> None:
        return

    async def read_all(self) -> bool:
        return True

    def size(self, repo: str, name: str) -> int | None:
        return self._sizes.get(name)

    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        parsed, size = parse_content_name(name), self._sizes.get(name)
        return None if parsed is None or size is None else ExpectedFile(size, parsed.sha256)

    def all_expected(self, name: str) -> Sequence[ExpectedFile]:
        """Returns the digest that stands in the name, with a size of 0 where nobody has asked for the file since the start: the digest decides."""
        parsed = parse_content_name(name)
        return () if parsed is None else (ExpectedFile(self._sizes.get(name, 0), parsed.sha256),)

    def signature(self, repo: str, name: str) -> bytes | None:
        return None

    def sizes(self, name: str) -> Sequence[int]:
        size = self._sizes.get(name)
        return () if size is None else (size,)

    def stated(self, name: str) -> Mapping[str, int]:
        return {}  # no file of a private repository of pacman has such a name

    def packages(self, repo: str) -> Collection[str] | None:
        return None
