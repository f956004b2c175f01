"""Which repositories of pacman.conf are private: those that the user names, and those that only this host can get at."""

from __future__ import annotations

import re
from collections.abc import Collection

from twisted.logger import Logger

from pacserve.mirrors.mirror import MirrorList
from pacserve.pacman.configuration import ConfigurationSource, PacmanConfiguration, Repository

_HTTP = ("http://", "https://")
_FILE = "file:"
_USER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*@")


def is_closed(repository: Repository, *, open_mirror: bool) -> bool:
    """
    Returns whether a repository has Server lines that are on this host (`file://`) or name a user, and none that is for everyone.

    Args:
        open_mirror: True if one of its http and https lines is that of a mirror without a user's name, and not this daemon's own.
    """
    closed = [server for server in repository.servers if server.lower().startswith(_FILE) or _USER.match(server)]
    others = [server for server in repository.servers if server not in closed and not server.lower().startswith(_HTTP)]
    return bool(closed) and not others and not open_mirror


class PrivateRepositories:
    """
    Knows the private repositories, anew whenever pacman.conf was read again.

    Args:
        named: Those that the user named.
        mirrors: Tells mirrors from this daemon's own line.
    """

    _log = Logger()

    def __init__(self, configuration: ConfigurationSource, mirrors: MirrorList, named: Collection[str]) -> None:
        self._configuration = configuration
        self._mirrors = mirrors
        self._named = frozenset(named)
        self._read: PacmanConfiguration | None = None
        self._private: frozenset[str] = frozenset()

    def names(self) -> frozenset[str]:
        """Returns the names of the private repositories.  Cheap, since it is called for every request."""
        configuration = self._configuration.current()
        if configuration is not self._read:
            self._read = configuration
            found = configuration.repositories
            arch = next(iter(configuration.architectures), "any")
            closed = {
                name
                for name, repository in found.items()
                if is_closed(repository, open_mirror=any(not mirror.secret for mirror in self._mirrors.mirrors(name, arch)))
            }
            self._private = frozenset(closed | (self._named & found.keys()))
            for name in sorted(self._named - found.keys()):
                if not configuration.missing:
                    self._log.warn("--private {name}: there is no such repository in pacman.conf, so that nothing is kept private for it", name=name)
        return self._private
