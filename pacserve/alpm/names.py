"""The grammar of names: files of a repository, package files, repositories and architectures.  Pure, and the only door for names from outside."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pacserve.model import FileKind

_FILE = re.compile(r"(?=.{1,255}\Z)[A-Za-z0-9@_+:~-][A-Za-z0-9@._+:~-]*\Z")
_REPOSITORY = re.compile(r"(?=.{1,128}\Z)[A-Za-z0-9@_+][A-Za-z0-9@._+-]*\Z")
_ARCHITECTURE = re.compile(r"[a-z0-9_]{1,32}\Z")
_PACKAGE = re.compile(
    r"(?=.{1,255}\Z)"
    r"(?P<name>[A-Za-z0-9@_+][A-Za-z0-9@._+-]*)"
    r"-(?P<version>(?:[0-9]+:)?[A-Za-z0-9@._+~]+-[0-9]+(?:\.[0-9]+)?)"
    r"-(?P<arch>[a-z0-9_]+)"
    r"(?P<suffix>\.pkg\.tar(?:\.(?:gz|bz2|xz|zst|lzo|lrz|lz4|lz|Z))?)"
    r"(?P<signature>\.sig)?\Z"
)


@dataclass(frozen=True, slots=True)
class PackageName:
    """
    The parts of a package file's name.

    @ivar version: As pacman prints it: C{EPOCH:VERSION-RELEASE}, the epoch often missing.
    @ivar suffix: From C{.pkg.tar} on.
    @ivar signature: Whether it is the detached signature of the package file.
    """

    name: str
    version: str
    arch: str
    suffix: str
    signature: bool


def file_name(text: str) -> bool:
    """Whether C{text} may be the name of a file of a repository: one path part, not hidden, at most 255 bytes."""
    return _FILE.match(text) is not None


def repository_name(text: str) -> bool:
    """Whether C{text} may be the name of a repository (pacman.conf(5))."""
    return _REPOSITORY.match(text) is not None


def architecture(text: str) -> bool:
    """Whether C{text} may be an architecture (makepkg.conf(5), CARCH)."""
    return _ARCHITECTURE.match(text) is not None


def parse_package_file(text: str) -> PackageName | None:
    """The parts of the name of a package file or its signature (PKGBUILD(5)); None for every other name."""
    match = _PACKAGE.match(text)
    if match is None:
        return None
    return PackageName(match["name"], match["version"], match["arch"], match["suffix"], match["signature"] is not None)


def kind_of(text: str) -> FileKind:
    """The kind of a file whose name passed L{file_name}."""
    parsed = parse_package_file(text)
    if parsed is None:
        return FileKind.DATABASE
    return FileKind.SIGNATURE if parsed.signature else FileKind.PACKAGE
