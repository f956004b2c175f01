"""The repositories of pacman.conf with the places, by file and line, of the directives that say where their files come from.  Rules only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from pacserve.errors import plain_reason
from pacserve.pacsrv.configuration import DEPTH_LIMIT, FILES_LIMIT, OPTIONS, ConfigurationFiles, parse_line
from pacserve.pacsrv.setup.lines import split

_DIRECTIVES = frozenset({"Server", "CacheServer", "Include"})


class UnreadableError(Exception):
    """
    A file can't be read; the message says which one and why.

    Attributes:
        denied: True if this user lacks the right to read it.
        missing: The path of a file that is not there; else empty.
    """

    def __init__(self, text: str, *, denied: bool = False, missing: str = "") -> None:
        super().__init__(text)
        self.denied = denied
        self.missing = missing


@dataclass(frozen=True, slots=True)
class Place:
    """
    A line of a file.

    Attributes:
        path: Without links, so that a file of two names has one place.
        number: Counted from 0.
    """

    path: str
    number: int


@dataclass(frozen=True, slots=True)
class Directive:
    """A directive of a repository."""

    key: str
    value: str
    place: Place


@dataclass(slots=True)
class Repository:
    """
    A repository as pacman reads it.

    Attributes:
        place: Where its name stands.
        directives: Its Server, CacheServer and Include lines in pacman's order; what an Include brings comes behind it.
    """

    name: str
    place: Place
    directives: list[Directive] = field(default_factory=list)

    @property
    def servers(self) -> list[Directive]:
        """Its Server lines."""
        return [directive for directive in self.directives if directive.key == "Server"]


class Texts:
    """
    The texts of configuration files, some of them edited; each file is read once.

    Args:
        real: Returns a path without links.
    """

    def __init__(self, files: ConfigurationFiles, real: Callable[[str], str]) -> None:
        self._files = files
        self._real = real
        self._read: dict[str, str] = {}
        self._expanded: dict[str, Sequence[str]] = {}
        self._edits: Mapping[str, str] = {}

    def with_edits(self, edits: Mapping[str, str]) -> Texts:
        """Returns the same texts with others, by real path, in the place of some."""
        edited = copy(self)  # they share what was read
        edited._edits = {**self._edits, **edits}
        return edited

    def real(self, path: str) -> str:
        """Returns a path without links."""
        return self._real(path)

    def original(self, real: str) -> str:
        """
        Returns the text of a file without edits.

        Raises:
            UnreadableError: The file can't be read.
        """
        if real not in self._read:
            try:
                self._read[real] = self._files.read(real)
            except OSError as error:
                missing = real if isinstance(error, FileNotFoundError) else ""
                reason = f"{real} can't be read: {plain_reason(error)}"
                raise UnreadableError(reason, denied=isinstance(error, PermissionError), missing=missing) from None
        return self._read[real]

    def text(self, real: str) -> str:
        """
        Returns the text of a file.

        Raises:
            UnreadableError: The file can't be read.
        """
        return self._edits[real] if real in self._edits else self.original(real)

    def expand(self, pattern: str) -> Sequence[str]:
        """Returns the real paths that the pattern of an Include matches, in pacman's order."""
        if pattern not in self._expanded:
            self._expanded[pattern] = [self._real(path) for path in self._files.expand(pattern)]
        return self._expanded[pattern]

    @property
    def edits(self) -> Mapping[str, str]:
        """The edited texts by real path."""
        return self._edits


@dataclass(slots=True)
class Configuration:
    """
    A configuration as pacman reads it.

    Attributes:
        files: The real paths of its files, each once.
    """

    repositories: list[Repository] = field(default_factory=list)
    files: list[str] = field(default_factory=list)


def read_configuration(path: str, texts: Texts) -> Configuration:
    """
    Reads a configuration with all that it includes.

    Raises:
        UnreadableError: One of its files can't be read; pacman fails then, too.
    """
    reader = _Reader(texts)
    reader.read(texts.real(path), 0)
    return Configuration(reader.repositories, list(dict.fromkeys(reader.files)))


class _Reader:
    """Follows Include lines to the same depth and number of files as `pacserve.pacsrv.configuration` does."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._current: Repository | None = None
        self.repositories: list[Repository] = []
        self.files: list[str] = []

    def read(self, real: str, depth: int) -> None:
        """Reads a file and what it includes."""
        if depth > DEPTH_LIMIT or len(self.files) > FILES_LIMIT:
            return
        self.files.append(real)
        for number, text in enumerate(split(self._texts.text(real))):
            line = parse_line(text.removesuffix("\n"))
            place = Place(real, number)
            if line.section is not None:
                self._current = None if line.section == OPTIONS else Repository(line.section, place)
                if self._current is not None:
                    self.repositories.append(self._current)
            elif line.key in _DIRECTIVES and line.value:
                if self._current is not None:
                    self._current.directives.append(Directive(line.key, line.value, place))
                if line.key == "Include":
                    for path in self._texts.expand(line.value):
                        self.read(path, depth + 1)
