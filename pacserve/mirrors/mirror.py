"""A mirror, and the URLs under which it has files."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pacserve.fetch.urls import URL, literal_address
from pacserve.http.request import path_part
from pacserve.network.addresses import in_private_range, is_loopback


@dataclass(frozen=True, slots=True)
class Mirror:
    """
    A mirror of one repository for one architecture.

    Attributes:
        base: The Server line as pacman uses it, a password included.
        url: The same, understood.
        local: It is on this host or its link by the very address or name that pacman.conf gives, so its redirects may lead there too.
    """

    base: str
    url: URL
    local: bool

    @property
    def secret(self) -> bool:
        """True if a user's name or password stands in the Server line, which no client gets to see."""
        return bool(self.url.userinfo)

    @property
    def near(self) -> bool:
        """True if it is on this host or in its LAN, as far as its address or name tells; names are not looked up."""
        if self.local:
            return True
        address = literal_address(self.url.host)
        return address is not None and (in_private_range(address) or is_loopback(address) or address.is_link_local)

    def file_url(self, name: str) -> str:
        """Returns the URL of a file: a slash and the name behind the Server line, as pacman makes it, and percent-encoded where that must be."""
        return f"{self.base}/{path_part(name)}"


class MirrorList(Protocol):
    """Knows the mirrors of repositories."""

    @abstractmethod
    def mirrors(self, repo: str, arch: str) -> Sequence[Mirror]:
        """Returns the mirrors of a repository in the order of its configuration, each once; empty where the repository is not known."""
