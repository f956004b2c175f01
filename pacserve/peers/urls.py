"""The URLs under which one pacserver asks another; they are part of the protocol between hosts (docs/protocol.md)."""

from __future__ import annotations

from pacserve.network.addresses import Endpoint
from pacserve.packages.files import FileRequest


def package_url(peer: Endpoint, name: str) -> str:
    """
    Returns where a peer has a package file or signature.

    The last part is `data` and not the file's name: pacman then saves the file under the name that it asked for, and asks its own host, not the
    peer, for the signature (observed with pacman 6 and 7).
    """
    return f"{peer.url}/package/{name}/data"


def info_url(peer: Endpoint, since: int | None = None) -> str:
    """
    Returns where a peer tells who it is and what it holds.

    Args:
        since: A generation of its inventory: only what changed since then is asked for.
    """
    return f"{peer.url}/info" if since is None else f"{peer.url}/info?since={since}"


def fetch_url(peer: Endpoint, request: FileRequest) -> str:
    """Returns where a peer hands on a file while it downloads it."""
    return f"{peer.url}/fetch/{request.repo}/{request.arch}/{request.name}"


def claim_url(peer: Endpoint, what: str, key: str, instance: str) -> str:
    """
    Returns where a peer is told of a download.

    Args:
        what: `ask`, `renew`, `finish` or `release`.
    """
    return f"{peer.url}/claim/{what}/{instance}/{key}"
