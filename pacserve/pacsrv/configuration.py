"""pacman.conf: read line by line as pacman reads it, so that nothing is lost, and composed anew with pacserve first.  Rules only."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pacserve.pacsrv.server_lines import pacserve_port, pacserve_serves, server_line

OPTIONS = "options"

# The characters that isspace(3) takes for a space; Python's strip() takes more.
_SPACE = " \t\n\v\f\r"
# Includes within includes; pacman refuses more.
DEPTH_LIMIT = 10
# Files; one that includes itself twice doubles at each depth.
FILES_LIMIT = 1000


class ConfigurationFiles(Protocol):
    """Reads the files that a configuration consists of."""

    @abstractmethod
    def read(self, path: str) -> str:
        """
        Returns the text of a file.

        Raises:
            OSError: The file can't be read.
        """

    @abstractmethod
    def expand(self, pattern: str) -> Sequence[str]:
        """Returns the paths that a pattern (glob(7)) matches, in pacman's order; the pattern itself where it matches nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """
    A line without its line feed.

    Attributes:
        section: The name that it declares, None for other lines.
        key: The directive, empty for comments, empty lines and sections.
        value: None for a directive without an equals sign.
    """

    text: str
    section: str | None = None
    key: str = ""
    value: str | None = None


@dataclass(slots=True)
class Section:
    """
    The lines of one repository that say where its files come from.

    Attributes:
        first: The place of its first Server or Include line among all lines, None where it has none.
        servers: The values of its Server lines in pacman's order, including those of included files.
        cache_servers: The values of its CacheServer lines.
    """

    name: str
    first: int | None = None
    servers: list[str] = field(default_factory=list)
    cache_servers: list[str] = field(default_factory=list)


def parse_line(text: str) -> Line:
    """Reads one line; a `#` begins a comment only where it is the first character."""
    bare = text.strip(_SPACE)
    if not bare or bare.startswith("#"):
        return Line(text)
    if bare.startswith("[") and bare.endswith("]"):
        return Line(text, section=bare[1:-1])
    key, separator, value = bare.partition("=")
    return Line(text, key=key.strip(_SPACE), value=value.strip(_SPACE) if separator else None)


def read_lines(path: str, files: ConfigurationFiles) -> list[Line]:
    """
    Returns all lines of a configuration.

    Where included files declare sections, their lines take the place of the Include line.  That means the same to pacman, since a section continues
    after the Include in which it began.  All other Include lines are kept, and so are those of files that can't be read.

    Raises:
        OSError: The first file can't be read.
    """
    return _Reader(files).lines(files.read(path), 0)


def read_sections(lines: Sequence[Line], files: ConfigurationFiles) -> list[Section]:
    """Returns the repositories in their order; a repository that is declared twice comes twice, as in pacman."""
    sections: list[Section] = []
    current: Section | None = None
    reader = _Reader(files)
    for place, line in enumerate(lines):
        if line.section is not None:
            current = None if line.section == OPTIONS else Section(line.section)
            if current is not None:
                sections.append(current)
        elif current is not None:
            if line.key in {"Server", "Include"} and current.first is None:
                current.first = place
            for directive in reader.resolved(line, 0):
                if directive.value is not None and directive.key in {"Server", "CacheServer"}:
                    (current.servers if directive.key == "Server" else current.cache_servers).append(directive.value)
    return sections


class _Reader:
    """Follows Include lines, to a bounded depth and number of files."""

    def __init__(self, files: ConfigurationFiles) -> None:
        self._files = files
        self._count = 0

    def lines(self, text: str, depth: int) -> list[Line]:
        """Returns the lines of a text; Include lines whose files declare sections are replaced by these files."""
        found: list[Line] = []
        for line in map(parse_line, text.removesuffix("\n").split("\n")):
            included = self._included(line, depth)
            inner = [one for each in included for one in self.lines(each, depth + 1)]
            found.extend(inner if any(one.section is not None for one in inner) else [line])
        return found

    def resolved(self, line: Line, depth: int) -> Iterator[Line]:
        """Returns the directives that a line stands for: itself, or those of the files that it includes."""
        if line.key != "Include":
            yield line
        for text in self._included(line, depth):
            for inner in map(parse_line, text.split("\n")):
                yield from self.resolved(inner, depth + 1)

    def _included(self, line: Line, depth: int) -> list[str]:
        """Returns the texts of the files that a line includes; empty where one of them can't be read, since pacman then takes none and says why."""
        if line.key != "Include" or not line.value or depth >= DEPTH_LIMIT:
            return []
        texts = []
        for path in self._files.expand(line.value):
            self._count += 1
            if self._count > FILES_LIMIT:
                return []
            try:
                texts.append(self._files.read(path))
            except OSError:
                return []
        return texts


def compose(path: str, files: ConfigurationFiles, port: int, knows_cache_server: Callable[[], bool]) -> str:
    """
    Returns the text of a configuration with pacserve as the first Server of each repository; all else stays as it is in the file.

    A repository is left as it is where pacserve comes first already or is its CacheServer, where it has no mirror that pacserve could ask
    (`file://`, `ftp://`), and where it has no Server at all.

    Args:
        port: The port on which pacserve listens.
        knows_cache_server: Returns whether this pacman knows CacheServer; called only where the answer matters.

    Raises:
        OSError: The file can't be read.
    """
    lines = read_lines(path, files)
    texts = [line.text for line in lines]
    for section in reversed(read_sections(lines, files)):
        if section.first is None or not pacserve_serves(section.servers) or pacserve_port(section.servers[0]) == port:
            continue
        if any(pacserve_port(server) == port for server in section.cache_servers) and knows_cache_server():
            continue  # as Server and CacheServer, pacserve would be asked twice for each file that no host has
        texts.insert(section.first, server_line(port))
    return "\n".join(texts) + "\n"


@dataclass(frozen=True, slots=True)
class Resolved:
    """
    A configuration as `pacman-conf` prints it, with all Includes and defaults resolved.

    Attributes:
        cache_dirs: The package caches in pacman's order.
        signature_levels: The words of each repository's effective SigLevel.
        xfer_command: The command that downloads in pacman's place; empty where pacman does so itself.
    """

    cache_dirs: tuple[str, ...] = ()
    signature_levels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    xfer_command: str = ""


def parse_resolved(printed: str) -> Resolved:
    """Reads what `pacman-conf` prints, as far as the doctor needs it; a repository without a SigLevel has that of the options."""
    cache_dirs: list[str] = []
    levels: dict[str, set[str]] = {OPTIONS: set()}
    section, xfer_command = OPTIONS, ""
    for line in map(parse_line, printed.splitlines()):
        if line.section is not None:
            section = line.section
            levels.setdefault(section, set())
        elif line.value and line.key == "SigLevel":
            levels[section].add(line.value)
        elif line.value and line.key == "CacheDir" and section == OPTIONS:
            cache_dirs.append(line.value)
        elif line.value and line.key == "XferCommand" and section == OPTIONS:
            xfer_command = line.value
    general = levels.pop(OPTIONS)
    return Resolved(tuple(dict.fromkeys(cache_dirs)), {name: frozenset(own or general) for name, own in levels.items()}, xfer_command)
