"""Repositories of apt as mirrors have them: with pool or flat, with files by their digests or not, signed in one file or in two."""

from __future__ import annotations

import difflib
import gzip
import hashlib
import lzma
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from tests.e2e.lab.apt_packages import Deb, Source
from tests.e2e.lab.packages import EPOCH, SigningKey

# Seconds between two revisions of a suite.
_REVISION = 60


@dataclass(frozen=True, slots=True)
class Suite:
    """
    The state of a suite at one moment.

    Attributes:
        name: That of the folder below `dists`; empty for a flat repository.
        revision: Grows with each state; dates of release and indexes are made from it.
        by_hash: True if the indexes are there by their digests as well, and the release says so.
        detached: True if the release is signed in a file of its own, and there is no InRelease.
        translation: True if there are descriptions apart from the packages.
        before: The state that clients may update their indexes from by a difference.
        pool: The folder of the packages.
        extra: More of each Packages than the packages that are there.
    """

    name: str
    debs: tuple[Deb, ...]
    sources: tuple[Source, ...] = ()
    revision: int = 0
    by_hash: bool = True
    detached: bool = False
    translation: bool = False
    architectures: tuple[str, ...] = ("amd64", "arm64")
    before: Suite | None = None
    pool: str = "pool/main"
    extra: bytes = field(default=b"", repr=False)

    @property
    def folder(self) -> str:
        """The folder of its release, from the base of the repository on."""
        return f"dists/{self.name}/" if self.name else ""

    @property
    def date(self) -> int:
        """When it was made, in seconds since the epoch."""
        return EPOCH + _REVISION * self.revision

    def directory(self, package: str) -> str:
        """Returns the folder of a package, from the base of the repository on."""
        return f"{self.pool}/{package[0]}/{package}/" if self.name else "./"

    def packages(self, architecture: str) -> bytes:
        """Returns the packages of an architecture, and those of all."""
        wanted = (deb for deb in self.debs if deb.architecture in (architecture, "all") or not self.name)
        return "\n".join(deb.stanza(self.directory(deb.package)) for deb in wanted).encode() + self.extra

    def indexes(self) -> Mapping[str, bytes]:
        """Returns the indexes by their paths from the folder of the release on."""
        found: dict[str, bytes] = {}
        source = "\n".join(source.stanza(self.directory(source.package).rstrip("/")) for source in self.sources).encode()
        if not self.name:
            found |= _compressed("Packages", self.packages(""))
            found |= _compressed("Sources", source) if self.sources else {}
            return found
        for architecture in self.architectures:
            path, now = f"main/binary-{architecture}/Packages", self.packages(architecture)
            found |= _compressed(path, now)
            if self.before is not None:
                found |= _difference(path, self.before.packages(architecture), now)
        if self.sources:
            found |= _compressed("main/source/Sources", source)
        if self.translation:
            found |= _compressed("main/i18n/Translation-en", self._descriptions())
        return found

    def _descriptions(self) -> bytes:
        digests = {deb.package: hashlib.md5(f"synthetic {deb.package}\n".encode()).hexdigest() for deb in self.debs}
        return "\n".join(f"Package: {name}\nDescription-md5: {md5}\nDescription-en: of {name}\n a text\n" for name, md5 in digests.items()).encode()

    def release(self, indexes: Mapping[str, bytes]) -> str:
        """Returns the text of its release."""
        lines = [f"Suite: {self.name or 'flat'}", f"Codename: {self.name or 'flat'}", "Origin: Lab", "Label: Lab"]
        lines.append(f"Date: {formatdate(self.date, usegmt=True).replace('GMT', 'UTC')}")
        if self.by_hash:
            lines.append("Acquire-By-Hash: yes")
        if self.name:
            lines += [f"Architectures: all {' '.join(self.architectures)}", "Components: main"]
        stated = {path: data for path, data in indexes.items() if ".diff/" not in path or path.endswith("/Index")}
        lines += ["SHA256:", *(f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}" for path, data in stated.items())]
        return "\n".join(lines) + "\n"


class Repository:
    """
    A repository below a folder of a mirror.

    Args:
        root: The folder, which may not be there yet.
        key: Signs the releases.
    """

    def __init__(self, root: Path, key: SigningKey) -> None:
        self.root = root
        self._key = key

    def publish(self, *suites: Suite) -> None:
        """Makes these the states of their suites: the files of packages first, and each release last."""
        for suite in suites:
            self.write_pool(suite)
            self.write_indexes(suite)
            self.write_release(suite)

    def write_pool(self, suite: Suite) -> None:
        """Writes the files of packages."""
        for deb in suite.debs:
            self.write(f"{suite.directory(deb.package)}{deb.file}", deb.content, suite.date)
        for source in suite.sources:
            for name, content in source.files.items():
                self.write(f"{suite.directory(source.package)}{name}", content, suite.date)

    def write_indexes(self, suite: Suite) -> None:
        """Writes the indexes; those of former states stay where they are by their digests."""
        for path, data in suite.indexes().items():
            self.write(f"{suite.folder}{path}", data, suite.date)
            if suite.by_hash:
                folder = f"{path.rpartition('/')[0]}/" if "/" in path else ""
                self.write(f"{suite.folder}{folder}by-hash/SHA256/{hashlib.sha256(data).hexdigest()}", data, suite.date)

    def write_release(self, suite: Suite) -> None:
        """Writes the release and its signature."""
        for name, data in self.signed(suite).items():
            self.write(f"{suite.folder}{name}", data, suite.date)

    def signed(self, suite: Suite) -> Mapping[str, bytes]:
        """Returns the files of the release and its signature by their names."""
        text = suite.release(suite.indexes())
        if suite.detached:
            return {"Release": text.encode(), "Release.gpg": self._key.signature(text)}
        return {"InRelease": self._key.clear_signed(text)}

    def write(self, path: str, data: bytes, date: int) -> None:
        """Puts a file into its place in one step, with a date, unless it is there with the same content."""
        place = self.root / path
        if place.exists() and place.read_bytes() == data:
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        new = place.with_name(f".{place.name}.new")
        new.write_bytes(data)
        os.utime(new, (date, date))
        new.replace(place)


def _compressed(path: str, data: bytes) -> dict[str, bytes]:
    """Returns an index in the three forms that mirrors have."""
    return {path: data, f"{path}.gz": gzip.compress(data, mtime=0), f"{path}.xz": lzma.compress(data, preset=0)}


def _difference(path: str, before: bytes, after: bytes) -> dict[str, bytes]:
    """Returns the index of differences, with one from a former content, and that one; as deb822 and `diff --ed` have them."""
    patch = ed_script(before.decode().splitlines(), after.decode().splitlines())
    packed, name = gzip.compress(patch, mtime=0), "2023-11-14-2200.00"
    rows = (
        ("SHA256-Current", after, ""),
        ("SHA256-History", before, name),
        ("SHA256-Patches", patch, name),
        ("SHA256-Download", packed, f"{name}.gz"),
    )
    lines: list[str] = []
    for key, data, label in rows:
        row = f"{hashlib.sha256(data).hexdigest()} {len(data)} {label}".rstrip()
        lines += [f"{key}: {row}"] if not label else [f"{key}:", f" {row}"]
    return {f"{path}.diff/Index": ("\n".join(lines) + "\n").encode(), f"{path}.diff/{name}.gz": packed}


def ed_script(before: Sequence[str], after: Sequence[str]) -> bytes:
    """Returns the commands of ed(1) that make one text of another, the last line's first."""
    commands: list[str] = []
    for tag, first, last, start, end in reversed(difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes()):
        lines = f"{first + 1},{last}" if last > first + 1 else str(first + 1)
        if tag == "delete":
            commands.append(f"{lines}d")
        elif tag in ("insert", "replace"):
            commands += [f"{first}a" if tag == "insert" else f"{lines}c", *after[start:end], "."]
    return ("\n".join(commands) + "\n").encode()
