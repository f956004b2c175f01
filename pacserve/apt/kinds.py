"""The kinds of files of a repository, by their paths (wiki.debian.org/DebianRepository/Format).  Pure."""

from __future__ import annotations

from pacserve.apt.targets import Target

RELEASE_FILES = frozenset({"InRelease", "Release", "Release.gpg"})
"""The names of the files that say what the indexes of a suite are, and the signature of one of them."""


def has_release_name(target: Target) -> bool:
    """Returns whether a file is called like one that states the indexes of its suite, or like the signature of such a file."""
    return target.name in RELEASE_FILES


def is_difference(target: Target) -> bool:
    """Returns whether a file is a difference between two states of an index, or a list of these: it lies in `Packages.diff` or the like."""
    return any(part.endswith(".diff") for part in target.path[:-1])
