"""Finds packages on the LAN: their versions, and the hosts that hold each.  No other host is asked: everything is what this daemon knows now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cmp_to_key
from typing import Any

from pacserve.app.reporting import Parts
from pacserve.packages.labels import parse_label, version_key
from pacserve.packages.names import is_content, is_signature, parse_package_file
from pacserve.pacman.versions import compare_versions
from pacserve.page.found import Found
from pacserve.page.layout import SHORTEST_QUERY
from pacserve.peers.peer import Peer

FOUND_LIMIT = 50
"""Files that a search finds in the databases, and likewise in the caches of this host and at peers."""

_PEERS_LIMIT = 64
"""Peers that a search names for one file."""

# In the place of a repository, for files that the lists of this host's own apt state.
_APT = "apt"
_THIS_HOST = "this host"

_by_version = cmp_to_key(compare_versions)


class Searching:
    """Answers searches of the status page."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def search(self, text: str) -> list[Found]:
        """
        Returns the package files whose name contains `text`: the best matches first, of each package the newest version first.

        Names come from the databases, the caches of this host, and the peers.
        """
        if len(text) < SHORTEST_QUERY:
            return []
        parts = self._parts
        await parts.databases.refresh_all()
        held = (await parts.caches.inventory()).files
        files: dict[tuple[str, int], list[str]] = defaultdict(list)
        for repo, name in parts.databases.find(text, FOUND_LIMIT):
            files[name, parts.databases.size(repo, name) or 0].append(repo)
        if parts.apt is not None:
            await parts.apt.lists.refresh()
            for stated in parts.apt.lists.matching(text, FOUND_LIMIT):
                files[stated.name, stated.size].append(_APT)
        for name in _some(name for name in held if text in shown_part(name) and not is_signature(name)):
            files[name, held[name]] += ()
        known = {name for name, _ in files}
        for name in _some(name for name in parts.stated.find(text) if name not in known and text in shown_part(name)):
            _, size = next(parts.holdings.holders(name), (0, None))
            if size is not None:
                files[name, size] += ()
        packages = [one for one in files.items() if not is_content(one[0][0])]
        contents = [one for one in files.items() if is_content(one[0][0])]
        in_order = [
            *_in_order(text, [self._found(name, size, repos, own=held.get(name) == size) for (name, size), repos in packages], _by_version),
            *_in_order(text, [self._found(name, size, repos, own=held.get(name) == size) for (name, size), repos in contents], _by_parts),
        ]
        return sorted(in_order, key=lambda found: _place(text, found.package))

    def _found(self, name: str, size: int, repositories: list[str], *, own: bool) -> Found:
        parts = self._parts
        holders = [_THIS_HOST] if own else []
        for slot, held in parts.holdings.holders(name):
            peer = parts.peers.at(slot)
            if held == size and peer is not None and len(holders) < _PEERS_LIMIT:
                holders.append(_called(peer))
        package, version = _named(name)
        return Found(package, version, tuple(repositories), size, tuple(holders))


def shown_part(name: str) -> str:
    """Returns the part of a shared file's name in which a text is looked for: its label, where that is followed by a digest."""
    return name.partition("@")[0] if is_content(name) else name


def _named(name: str) -> tuple[str, str]:
    """Returns the package and the version of a file; the version of one that is shared by content has the architecture behind it."""
    if is_content(name):
        label = parse_label(shown_part(name))
        return (shown_part(name), "") if label is None else (label.package, f"{label.version} ({label.architecture})")
    parsed = parse_package_file(name)
    return (name, "") if parsed is None else (parsed.name, parsed.version)


def _place(text: str, package: str) -> tuple[bool, bool, str]:
    """Returns the place of a package among those that a text finds: first that of the very name, then those whose names begin so."""
    return text != package, not package.startswith(text), package


def _some(names: Iterable[str]) -> Sequence[str]:
    """Returns so many names as a search finds."""
    return sorted(names)[:FOUND_LIMIT]


def _called(peer: Peer) -> str:
    """Returns the name that a peer tells with its address beside it, since any host may claim a name; the address alone where it tells none."""
    address = str(peer.endpoint or peer.configured)
    return f"{peer.name} ({address})" if peer.name else address


def _in_order(text: str, files: list[Found], by: Callable[[str], Any]) -> list[Found]:
    """
    Returns files with the best matches first, the versions of a package together, and the newest one marked.

    Args:
        by: Returns what versions are sorted by.
    """
    packages: dict[str, list[Found]] = defaultdict(list)
    for file in files:
        packages[file.package].append(file)
    ordered = []
    for package in sorted(packages, key=lambda package: _place(text, package)):
        latest = max([by(file.version) for file in packages[package]])
        by_version = sorted(packages[package], key=lambda file: by(file.version), reverse=True)
        ordered += [replace(file, newest=not by(file.version) < latest) for file in by_version]
    return ordered


def _by_parts(version: str) -> object:
    """Returns what the versions of packages of apt are sorted by; those of several architectures are equally new."""
    return version_key(version.partition(" ")[0])
