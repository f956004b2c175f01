"""
Which host of the LAN keeps the claims for a file, without anybody being asked.  Rules only.

Rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998): all hosts that know the same peers come to the
same order, and one that comes or goes changes only what it keeps itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def keepers(key: str, instances: Iterable[str]) -> list[str]:
    """
    Returns the instance ids in the order in which they are asked for the claims of a key: each host's place is that of its hash with the key.

    Args:
        key: What is claimed.
        instances: Any order; each id once.
    """
    return sorted(instances, key=lambda instance: _weight(key, instance), reverse=True)


def _weight(key: str, instance: str) -> bytes:
    # The instance stands first and has one length, so that no two pairs are the same text.
    return blake2b(f"{instance}:{key}".encode("utf-8", "surrogatepass"), digest_size=8).digest() + instance.encode()
