"""pacman.conf(5) as `pacman-conf` prints it.  Rules only: texts go in, values come out."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pacserve.packages.names import architecture

_REPOSITORY = re.compile(r"(?=.{1,128}\Z)[A-Za-z0-9@_+][A-Za-z0-9@._+-]*\Z")
_SECTION = re.compile(r"\[(.*)\]\Z")
_INCLUDE = re.compile(r"\s*Include\s*=\s*(\S.*?)\s*\Z")


@dataclass(frozen=True, slots=True)
class Repository:
    """
    A repository of pacman.conf.

    Attributes:
        servers: Its Server lines in pacman's order, `$repo` and `$arch` expanded, every scheme, without a trailing slash.
    """

    name: str
    servers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PacmanConfiguration:
    """
    The part of pacman.conf(5) that pacserve needs, fully resolved.

    Attributes:
        architectures: In pacman's order; `$arch` stands for the first.
        cache_dirs: Absolute paths.
        database_dir: DBPath; the sync databases are in its folder `sync`.
        missing: Why this host has no pacman; empty where it has one.
    """

    architectures: tuple[str, ...]
    cache_dirs: tuple[str, ...]
    database_dir: str
    repositories: Mapping[str, Repository]
    missing: str = ""


class ConfigurationSource(Protocol):
    """The protocol of sources of pacman.conf."""

    @abstractmethod
    def current(self) -> PacmanConfiguration:
        """Returns the configuration as it was last read without an error.  Cheap, since it is called for every request."""


def without_pacman(reason: str) -> PacmanConfiguration:
    """Returns the configuration of a host that has no pacman: no architectures, no repositories, no package caches."""
    return PacmanConfiguration((), (), "", {}, reason)


def parse_configuration(printed: str) -> PacmanConfiguration:
    """
    Reads what `pacman-conf` prints: everything resolved, a section for `[options]` and one for each repository.

    Unknown keys are ignored, so that later versions of pacman do no harm, and so are repositories with odd names.

    Raises:
        ValueError: The text lacks what every pacman-conf prints.
    """
    options: dict[str, list[str]] = {}
    servers: dict[str, list[str]] = {}
    section = ""
    for line in printed.splitlines():
        header = _SECTION.match(line.strip())
        if header is not None:
            section = header[1]
            if section != "options" and repository_name(section):
                servers.setdefault(section, [])
            continue
        key, _, value = (part.strip() for part in line.partition("="))
        if section == "options":
            options.setdefault(key, []).append(value)
        elif key == "Server" and section in servers:
            servers[section].append(value.rstrip("/"))
    architectures = tuple(name for value in options.get("Architecture", ()) for name in value.split() if architecture(name))
    database_dir = next(iter(options.get("DBPath", ())), "")
    if not database_dir.startswith("/"):
        raise ValueError("pacman-conf prints no DBPath")
    return PacmanConfiguration(
        architectures=tuple(dict.fromkeys(architectures)),
        cache_dirs=tuple(dict.fromkeys(value for value in options.get("CacheDir", ()) if value.startswith("/"))),
        database_dir=database_dir,
        repositories={name: Repository(name, tuple(dict.fromkeys(urls))) for name, urls in servers.items()},
    )


def repository_name(text: str) -> bool:
    """Returns whether `text` may be the name of a repository (pacman.conf(5))."""
    return _REPOSITORY.match(text) is not None


def included(text: str) -> list[str]:
    """Returns the patterns (glob(7)) of the Include lines of a configuration file."""
    return [match[1] for match in map(_INCLUDE.match, text.splitlines()) if match is not None]
