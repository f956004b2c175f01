"""Twisted's web client where it promises nothing: the one private name that this package relies on.  A test checks that it is there."""

from __future__ import annotations

from typing import Any

from twisted.web._newclient import HTTP11ClientProtocol


def permit_lines(client: Any, length: int) -> None:
    """
    Lets the answer that a client reads have header lines of so many bytes: Twisted closes the connection at 16 KiB, and curl reads 100.

    Args:
        client: What speaks on a connection.  Others than Twisted's HTTP client are left alone.
    """
    parser = client._parser if isinstance(client, HTTP11ClientProtocol) else None
    if parser is not None:
        parser.MAX_LENGTH = length
