"""The claims of other hosts, as the front that takes them sees them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Protocol


class ClaimKeeper(Protocol):
    """Keeps the claims of others."""

    @abstractmethod
    def keep(self, what: str, instance: str, key: str, source: str) -> bytes:
        """
        Does what a host asks, and gives the answer as it is sent.

        @param what: C{ask}, C{renew}, C{finish} or C{release}.
        @param instance: The host's instance id, as it states it.
        @param key: What is claimed.
        @param source: The address that it asks from.
        """
