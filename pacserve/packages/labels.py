"""
The labels of binary packages that are shared by content, `PACKAGE_VERSION_ARCHITECTURE`, and the names of their files (deb-version(7)).  Pure.

A label decides nothing.  It is taken apart to show it to people, and to find what they ask for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_LABEL = re.compile(
    r"(?=.{1,255}\Z)"
    r"(?P<package>[A-Za-z0-9][A-Za-z0-9+.-]*)"
    r"_(?:[0-9]{1,9}:)?(?P<version>[0-9A-Za-z][A-Za-z0-9.+~-]*)"
    r"_(?P<architecture>[a-z0-9][a-z0-9-]*)\Z"
)
_SUFFIX = re.compile(r"\.(?:deb|udeb|ddeb)\Z")
_NUMBERS = re.compile(r"([0-9]+)")


@dataclass(frozen=True, slots=True)
class PackageLabel:
    """
    The parts of the label of a binary package.

    Attributes:
        version: Without the epoch, which labels do not have.
    """

    package: str
    version: str
    architecture: str

    def __str__(self) -> str:
        return f"{self.package}_{self.version}_{self.architecture}"


def parse_label(text: str) -> PackageLabel | None:
    """Returns the parts of a label; None for one that is that of no binary package."""
    match = _LABEL.match(text)
    return None if match is None else PackageLabel(match["package"], match["version"], match["architecture"])


def parse_package_path(name: str) -> PackageLabel | None:
    """Returns what the name of a package's file, percent-encoded or not, says of it; None where it says nothing, as `odd.deb`."""
    name = unquote(name)
    suffix = _SUFFIX.search(name)
    return None if suffix is None else parse_label(name[: suffix.start()])


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """
    Returns what versions are sorted by, the latest last: numbers by their value, all else by its letters, and `~` before everything, even the end.

    dpkg has finer rules; this is for people who look for a version in a list.
    """
    key: list[tuple[int, int, str]] = []
    for at, part in enumerate(_NUMBERS.split(version)):
        if at % 2:
            key.append((2, int(part[:64]), ""))
        else:
            key += [(0, 0, "") if character == "~" else (3, 0, character) for character in part]
    return (*key, (1, 0, ""))
