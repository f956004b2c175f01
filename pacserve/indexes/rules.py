"""The rules of one package system for its indexes: names, sizes, and what an index begins and ends with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from pacserve.packages.files import SIGNATURE_LIMIT


@dataclass(frozen=True, slots=True)
class Examined:
    """
    The properties of an index that were found by reading it.

    Attributes:
        whole: True if nothing is missing at its end; None where that can't be told.
        built: When the newest package in it was built, in seconds since the epoch: the index is no older.  None where that is not known.
    """

    whole: bool | None
    built: int | None = None


@dataclass(frozen=True, slots=True)
class IndexRules:
    """
    The names and contents that the indexes of one package system have.

    Attributes:
        signature_suffix: Ends the name of a detached signature, behind the name of the file that it signs.
        size_limit: Bytes of an index, and of every other file but a signature.
        is_index: True if a file of this name is an index, whose content is checked; any other file is taken as it comes.
        may_begin: True if an index may begin with these bytes, so that no HTML page is served as one; None where more bytes are needed to tell.
        examine: Reads an index, which is open at its start; called in a thread.  It is given the time as well, in seconds since the epoch.
    """

    signature_suffix: str
    size_limit: int
    is_index: Callable[[str], bool]
    may_begin: Callable[[bytes], bool | None]
    examine: Callable[[BinaryIO, float], Examined]

    def is_signature(self, name: str) -> bool:
        """Returns whether a file of this name is the detached signature of another one."""
        return name.endswith(self.signature_suffix)

    def signature_of(self, name: str) -> str:
        """Returns the name of the signature of a file."""
        return f"{name}{self.signature_suffix}"

    def signed_by(self, signature: str) -> str:
        """Returns the name of the file that a signature signs."""
        return signature.removesuffix(self.signature_suffix)

    def limit_of(self, name: str) -> int:
        """Returns the bytes that a file of this name may have."""
        return SIGNATURE_LIMIT if self.is_signature(name) else self.size_limit
