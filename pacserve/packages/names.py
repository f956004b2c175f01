"""
The grammars of names: files of a repository, and files as hosts share them.  Pure, and the only door for names from outside.

A mirror may be asked for every file that is one part of a path.  Hosts share files under narrow names only: pacman's package files by name, the files
of every other package system by content, as `LABEL@SHA256.blob`: one grammar for all of them, so that a host passes on files of systems that it does
not have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from pacserve.packages.files import FileKind

_SIGNATURE_SUFFIX = ".sig"
# Bytes of the longest name on all file systems of Linux (NAME_MAX).
_LONGEST_NAME = 255
_SAFE = re.compile(r"[A-Za-z0-9@_+:~-][A-Za-z0-9@._+:~-]*\Z")
# A package to pacman, whatever else its name has.
_PACKAGE_LIKE = re.compile(r".*\.pkg\.tar(?:\.[A-Za-z0-9]+)?(?P<signature>\.sig)?\Z")
_CONTENT_SUFFIX = ".blob"
# The label is for people; no "@" in it, so that no package file of pacman has such a name.
_CONTENT = re.compile(r"(?P<label>[A-Za-z0-9_+][A-Za-z0-9._+~-]{0,127})@(?P<sha256>[0-9a-f]{64})\.blob\Z")
_ARCHITECTURE = re.compile(r"[a-z0-9_]{1,32}\Z")
# The rules of makepkg (lint_pkgname, check_pkgver, check_epoch, check_pkgrel, lint_arch, lint_ext), all of them ASCII.  A version may have whatever
# is printed, but for a slash, a colon, a hyphen, and the backslash, which makepkg forgets.
_PACKAGE = re.compile(
    r"(?=.{1,255}\Z)"
    r"(?P<name>[A-Za-z0-9@_+][A-Za-z0-9@._+-]*)"
    r"-(?P<version>(?:[0-9]+:)?[!-,.0-9;-\[\]-~]+-[0-9]+(?:\.[0-9]+)?)"
    r"-(?P<arch>[A-Za-z0-9_]+)"
    r"(?P<suffix>\.pkg\.tar(?:\.(?:gz|bz2|xz|zst|lzo|lrz|lz4|lz|Z))?)"
    r"(?P<signature>\.sig)?\Z"
)
_EARLY = re.compile(r"[A-Za-z0-9@._+~:-]*-[a-z0-9_]+\.pkg\.tar[.A-Za-z0-9]*\Z")


@dataclass(frozen=True, slots=True)
class PackageName:
    """
    The parts of a package file's name.

    Attributes:
        version: As pacman prints it: `EPOCH:VERSION-RELEASE`, the epoch often missing.
        suffix: From `.pkg.tar` on.
        signature: True if it is the detached signature of the package file.
    """

    name: str
    version: str
    arch: str
    suffix: str
    signature: bool


def file_name(text: str) -> bool:
    """
    Returns whether a mirror may be asked for a file of this name: one part of a path, of at most 255 bytes, all of which can be printed.

    A name is refused that is hidden, since what servers hide is no file of a repository, and one that is a path to a server which decodes it again
    or takes a backslash for a slash.
    """
    if _SAFE.match(text) and len(text) <= _LONGEST_NAME:
        return True
    if not 0 < len(text) <= _LONGEST_NAME or not text.isprintable() or len(text.encode()) > _LONGEST_NAME:
        return False
    return not _is_trick(text)


def _is_trick(text: str) -> bool:
    """Returns whether a name means something else than a file, as it is or decoded, however often."""
    while True:
        if text.startswith(".") or any(character in "/\\" or not character.isprintable() for character in text):
            return True
        text, before = unquote(text), text
        if text == before:
            return False


def architecture(text: str) -> bool:
    """Returns whether `text` may be an architecture (makepkg.conf(5), CARCH)."""
    return _ARCHITECTURE.match(text) is not None


def parse_package_file(text: str) -> PackageName | None:
    """Returns the parts of the name of a package file or its signature (PKGBUILD(5)); None for every other name."""
    match = _match_package(text)
    if match is None:
        return None
    return PackageName(match["name"], match["version"], match["arch"], match["suffix"], match["signature"] is not None)


def is_package_file(text: str) -> bool:
    """Returns whether `parse_package_file` knows a name; in half the time, since inventories have many."""
    return _match_package(text) is not None


def is_early(name: str) -> bool:
    """
    Returns whether a package file's name is of the narrower grammar that there was at first: versions from then refuse a list that has any other.

    Args:
        name: It passed `parse_package_file`.
    """
    return _EARLY.match(name) is not None


def package_file(text: str) -> bool:
    """Returns whether `text` is the name of a package file, and not of its signature; cheap, since databases have many."""
    match = _match_package(text)
    return match is not None and match["signature"] is None


def _match_package(text: str) -> re.Match[str] | None:
    match = _PACKAGE.match(text)
    if match is None or ("%" in text and unquote(text) != text):
        return None  # a name that a server which decodes it once more takes for another one is not shared
    return match


@dataclass(frozen=True, slots=True)
class ContentName:
    """
    The parts of the name of a file that is shared by its content.

    Attributes:
        label: For people; it decides nothing.
        sha256: Of the content, 32 bytes.
    """

    label: str
    sha256: bytes

    @property
    def signature(self) -> bool:
        """No file that is shared by content is a detached signature of another one: the digest in its name says what it is."""
        return False


def parse_content_name(text: str) -> ContentName | None:
    """Returns the parts of `LABEL@SHA256.blob`; None for every other name."""
    match = _CONTENT.match(text)
    return None if match is None else ContentName(match["label"], bytes.fromhex(match["sha256"]))


def is_content_name(text: str) -> bool:
    """Returns whether `parse_content_name` knows a name."""
    return _CONTENT.match(text) is not None


def is_content(name: str) -> bool:
    """Returns whether a name that passed `shared_file` is that of a file that is shared by content; cheap, since inventories have many."""
    return name.endswith(_CONTENT_SUFFIX)


def signed_file(signature: str) -> str:
    """Returns the name of the file that a detached signature signs."""
    return signature.removesuffix(_SIGNATURE_SUFFIX)


def signature_of(name: str) -> str:
    """Returns the name of the detached signature of a file."""
    return f"{name}{_SIGNATURE_SUFFIX}"


def is_signature(name: str) -> bool:
    """Returns whether a file of this name is the detached signature of another one, a package or a database."""
    return name.endswith(_SIGNATURE_SUFFIX)


def shared_file(text: str) -> PackageName | ContentName | None:
    """Returns the parts of a name under which hosts share a file; None where no host shares a file of that name."""
    return parse_package_file(text) or parse_content_name(text)


@lru_cache(maxsize=4096)
def is_shared(name: str) -> bool:
    """Returns whether hosts share files of this name, as `shared_file` does.  Remembered: each request of a client asks that more than once."""
    return shared_file(name) is not None


def kind_of(text: str) -> FileKind:
    """Returns the kind of a file whose name passed `file_name`.  A package may have a name under which no host shares it."""
    parsed = shared_file(text)
    if parsed is not None:
        return FileKind.SIGNATURE if parsed.signature else FileKind.PACKAGE
    match = _PACKAGE_LIKE.match(text)
    if match is None:
        return FileKind.DATABASE
    return FileKind.PACKAGE if match["signature"] is None else FileKind.SIGNATURE
