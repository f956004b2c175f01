"""Files that hosts share by their content, as apt's lists and releases state them, and the names by which they are shared.  Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

REPOSITORY = "apt"
"""The repository of every file that is shared by content, for the parts of pacserve that know files by repository, architecture and name."""
ARCHITECTURE = "any"

_LABEL_LIMIT = 128
_NO_LABEL = re.compile(r"[^A-Za-z0-9._+~-]")


@dataclass(frozen=True, slots=True)
class StatedFile:
    """
    A file whose content is known before it is here.

    Attributes:
        size: Bytes.
        sha256: 32 bytes.
        label: For people, the same on every host: `PACKAGE_VERSION_ARCHITECTURE` without the epoch for a binary package, whatever its file is called,
            and the name of the file for everything else.
    """

    size: int
    sha256: bytes
    label: str

    @property
    def name(self) -> str:
        """The name by which hosts share it."""
        return f"{self.label}@{self.sha256.hex()}.blob"


def label_of(text: str) -> str:
    """Returns a label made of a file name: what may not stand in one becomes a hyphen."""
    label = _NO_LABEL.sub("-", text.removesuffix(".deb"))[:_LABEL_LIMIT].lstrip(".~-")
    return label or "file"


def package_label(package: str, version: str, architecture: str) -> str:
    """Returns the label of a binary package (deb822(5), deb-version(7))."""
    return label_of(f"{package}_{version.partition(':')[2] or version}_{architecture}")
