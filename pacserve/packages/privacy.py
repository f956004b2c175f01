"""Which files of the local caches hosts of the LAN may learn of.  Rules only."""

from __future__ import annotations

from collections.abc import Collection

from pacserve.packages.catalogue import Catalogue
from pacserve.packages.names import parse_package_file, signed_file


def is_private(name: str, size: int, private: Collection[str], catalogue: Catalogue) -> bool:
    """
    Returns whether a file of the local caches is kept from the LAN.

    A package file is private if the database of a private repository states it, by name and size, and that of no public one does.  Another version of
    a package that a private repository has is private as well, since caches keep what the database states no more.  A signature goes with its
    package.  As long as the database of a private repository could not be read, only what a public one states is not private.

    Args:
        name: A name under which hosts share files.
        size: Its bytes.
        private: The private repositories.
    """
    if not private:
        return False
    parsed = parse_package_file(name)
    if parsed is None:
        return False  # it is shared by content, and of no repository of pacman
    stated = catalogue.stated(signed_file(name) if parsed.signature else name)
    if any(repo not in private and (parsed.signature or bytes_ == size) for repo, bytes_ in stated.items()):
        return False
    packages = [catalogue.packages(repo) for repo in private]
    return any(names is None or parsed.name in names for names in packages)
