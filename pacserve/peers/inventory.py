"""
The wire format of `/info`: who a pacserver is and what it holds.

Text from another host is bounded before it is unpacked, while it is read, and name by name.  pacman's files, those of them whose names were no names
at first, and the content of other package systems travel in different fields, since readers that know only the former must not meet names that they
would refuse.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from pacserve.errors import RemoteProtocolError
from pacserve.packages.names import is_content, is_content_name, is_early, is_package_file
from pacserve.peers import fields
from pacserve.peers.scanning import LargeField, Scanner, Text

PROTOCOL_VERSION = 1

# Names that a pacserver lists at most, of which a reader need not keep all.
NAMES_LIMIT = 100_000
# Characters of a name: those of pacman have 50 on average.  Fewer names are kept of a host whose names are longer, so that they take no more memory.
CHARACTERS_PER_NAME = 64
# Bytes as they travel: 100,000 names are some 1.1 MiB packed.
PACKED_LIMIT = 2 << 20
# Bytes of JSON: 100,000 names are some 6 MiB.
UNPACKED_LIMIT = 8 << 20
# Bytes of one file: 1 TiB.
_SIZE_LIMIT = 1 << 40
_WHERE = "/info"
_SMALL = frozenset({"protocol", "instance", "name", "generation", "arch", "since"})

_Grammar = Callable[[str], bool]
"""Says whether a field may hold a name."""
# The fields that there were not at first, all of which may be missing.
_LATER_FIELDS: Mapping[str, _Grammar] = {"content": is_content_name, "further": is_package_file}


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """
    An `/info`: all files that a pacserver holds, or the changes since a generation.

    Attributes:
        instance: 128 random bits, drawn at each start, in hexadecimal.
        generation: Grows when `files` changes; means nothing across instances.
        architectures: Those of its pacman.conf, which matter for pacman's files alone; none where it has no pacman.
        files: Sizes in bytes by the names under which hosts share files; of a delta, those that were added or changed.
        since: The generation of the same instance which the delta leads on from, None where `files` is all that it holds.
        removed: The names that went since then; none of them is in `files`.
        skipped: How many of its entries were not understood and left out.
        name: The host name that the pacserver tells of itself, as `told_name` has it; empty where it tells none.
        shares_content: True if it takes part in sharing content, whether it holds any or not.
    """

    instance: str
    generation: int
    architectures: tuple[str, ...]
    files: Mapping[str, int]
    since: int | None = None
    removed: tuple[str, ...] = ()
    skipped: int = 0
    name: str = ""
    shares_content: bool = field(default=False, compare=False)

    @property
    def content(self) -> Mapping[str, int]:
        """Those of `files` that are shared by content, whatever the architecture of their holders."""
        return {name: size for name, size in self.files.items() if is_content(name)}


def encode(info: PeerInfo) -> bytes:
    """
    Returns the JSON text of `/info`.

    A host that does not take part in sharing content sends what protocol version 1 had before there was any.
    """
    document: dict[str, object] = {
        "protocol": PROTOCOL_VERSION,
        "instance": info.instance,
        "generation": info.generation,
        "arch": list(info.architectures),
    }
    if info.name:
        document["name"] = info.name
    if info.since is not None:
        document["since"] = info.since
    later = {name: _later_field(name) for name in info.files if not is_early(name)}
    document["files"] = {name: size for name, size in info.files.items() if name not in later} if later else dict(info.files)
    for name, where in later.items():
        listed: Any = document.setdefault(where, {})
        listed[name] = info.files[name]
    if info.shares_content:
        document.setdefault("content", {})
    if info.since is not None:
        document["removed"] = [name for name in info.removed if is_early(name)]
        for name in info.removed:
            if not is_early(name):
                removed: Any = document.setdefault(f"{_later_field(name)}_removed", [])
                removed.append(name)
    return json.dumps(document, separators=(",", ":")).encode()


def _later_field(name: str) -> str:
    """Returns the field for a name that readers of the first version don't know."""
    return "content" if is_content(name) else "further"


def pack(text: bytes) -> bytes:
    """Returns the text gzipped, the same bytes each time."""
    return gzip.compress(text, compresslevel=6, mtime=0)


class Reading:
    """
    Reads the body of an answer to `/info` in steps.

    Fields that are not known are ignored, as are later protocol versions as long as the known fields stand.  An entry that is not understood, a name
    outside the grammar of its field or a size that is none, is left out and counted: a later version may have a reason for it, and the other
    entries stand.

    Args:
        encoding: The Content-Encoding, None for none.
        most: Names that are kept of each field, unless they are very long; those that come after them are read over.

    Raises:
        RemoteProtocolError: Another encoding than gzip.
    """

    def __init__(self, body: bytes, encoding: str | None, most: int = NAMES_LIMIT) -> None:
        self._text = Text(body, encoding, UNPACKED_LIMIT, _WHERE)
        self._scanner: Scanner | None = None
        self._characters = 0
        self._most = most

    @property
    def size(self) -> int:
        """The bytes of text that were read so far, or that as many usual entries would have taken: very short ones take as long to read."""
        return max(self._text.size, 0 if self._scanner is None else self._scanner.entries * CHARACTERS_PER_NAME)

    def steps(self) -> Generator[None, None, PeerInfo]:
        """
        Reads one step of less than 2 ms after the other, and returns the whole.

        Raises:
            RemoteProtocolError: Broken, too long, not JSON, a field missing or of the wrong type, too much of anything, or a name that is listed and
                removed.
        """
        files, removed = _Sizes("files", is_package_file, self), _Names("removed", is_package_file, self)
        more = [_Sizes(later, grammar, self) for later, grammar in _LATER_FIELDS.items()]
        more_removed = [_Names(f"{later}_removed", grammar, self) for later, grammar in _LATER_FIELDS.items()]
        large: dict[str, _Field] = {one.name: one for one in (files, *more, removed, *more_removed)}
        self._scanner = Scanner(self._text, _SMALL, large, NAMES_LIMIT)
        document = yield from self._scanner.steps()
        instance = fields.instance_id(document.get("instance"), _WHERE)
        fields.version(document.get("protocol"), _WHERE, "protocol")
        generation = fields.generation(document.get("generation"), _WHERE)
        architectures = fields.architectures(document.get("arch"), _WHERE)
        name = fields.host_name(document.get("name"))
        files.check()
        yield
        for later in more:
            later.check(optional=True)
            files.entries.update(later.entries)
        skipped = sum(one.skipped for one in large.values())
        shares_content = bool(large["content"].opening)
        if "since" not in document:
            if any(one.opening for one in (removed, *more_removed)):
                raise RemoteProtocolError("/info: removed without since")
            return PeerInfo(instance, generation, architectures, files.entries, skipped=skipped, name=name, shares_content=shares_content)
        since = fields.integer(document["since"], _WHERE, "since", 0, generation)
        removed.check()
        for field_removed in more_removed:
            field_removed.check(optional=True)
        gone = tuple(entry for one in (removed, *more_removed) for entry in one.entries)
        if not files.entries.keys().isdisjoint(gone):
            raise RemoteProtocolError("/info removes what it lists")
        return PeerInfo(instance, generation, architectures, files.entries, since, gone, skipped, name, shares_content)

    def kept(self, names: Iterable[str], known: int) -> list[str]:
        """Returns those of some more names of a field that are kept when so many of it have been kept before."""
        if self._characters > self._most * CHARACTERS_PER_NAME:
            return []
        kept = list(islice(names, max(0, self._most - known)))
        self._characters += sum(map(len, kept))
        return kept


def decode(body: bytes, encoding: str | None = None) -> PeerInfo:
    """
    Reads the body of an answer to `/info` at once.

    Raises:
        RemoteProtocolError: As `Reading` does.
    """
    steps = Reading(body, encoding).steps()
    while True:
        try:
            next(steps)
        except StopIteration as end:
            info: PeerInfo = end.value
            return info


class _Field(LargeField):
    """
    A field that lists names.

    Attributes:
        opening: The first character of its value; empty where the field is missing.
        skipped: How many of its entries were not understood and left out.
    """

    _OPENING, _KIND = "", ""

    def __init__(self, name: str, grammar: _Grammar, reading: Reading) -> None:
        self.name = name
        self.opening = ""
        self.skipped = 0
        self._grammar = grammar
        self._reading = reading

    def begin(self, opening: str) -> None:
        self.opening = opening
        self.skipped = 0

    def check(self, *, optional: bool = False) -> None:
        """
        Makes sure that the field has the right type.

        Raises:
            RemoteProtocolError: It has another one, or is missing.
        """
        if self.opening != self._OPENING and not (optional and not self.opening):
            raise RemoteProtocolError(f"/info: {self.name} is no {self._KIND}")


class _Sizes(_Field):
    """
    Sizes by name.

    Attributes:
        entries: Those that are understood.
    """

    _OPENING, _KIND = "{", "object"

    def __init__(self, name: str, grammar: _Grammar, reading: Reading) -> None:
        super().__init__(name, grammar, reading)
        self.entries: dict[str, int] = {}

    def begin(self, opening: str) -> None:
        super().begin(opening)
        self.entries = {}

    def take(self, entries: Any) -> None:
        if self.opening != self._OPENING:
            return
        understood = entries
        if not (all(map(_is_size, entries.values())) and all(map(self._grammar, entries))):
            understood = {name: size for name, size in entries.items() if _is_size(size) and self._grammar(name)}
            self.skipped += len(entries) - len(understood)
        kept = self._reading.kept(understood, len(self.entries))
        self.entries.update(understood if len(kept) == len(understood) else {name: understood[name] for name in kept})


class _Names(_Field):
    """
    Names alone.

    Attributes:
        entries: Those that are understood.
    """

    _OPENING, _KIND = "[", "list"

    def __init__(self, name: str, grammar: _Grammar, reading: Reading) -> None:
        super().__init__(name, grammar, reading)
        self.entries: list[str] = []

    def begin(self, opening: str) -> None:
        super().begin(opening)
        self.entries = []

    def take(self, entries: Any) -> None:
        if self.opening != self._OPENING:
            return
        understood = [name for name in entries if isinstance(name, str) and self._grammar(name)]
        self.skipped += len(entries) - len(understood)
        self.entries += self._reading.kept(understood, len(self.entries))


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _SIZE_LIMIT
