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

        Args:
            what: `ask`, `renew`, `finish` or `release`.
            instance: The host's instance id, as it states it.
            key: What is claimed.
            source: The address that it asks from.
        """
