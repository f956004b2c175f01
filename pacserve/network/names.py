"""Rules about the names that hosts tell of themselves."""

from __future__ import annotations

from pacserve.network.addresses import is_host_name

# Characters: HOST_NAME_MAX of Linux, sethostname(2).
LONGEST_TOLD_NAME = 64
# The names of machines that were given none, which would tell nobody anything.
_NAMELESS = frozenset({"localhost", "localhost.localdomain", "(none)"})


def told_name(text: str) -> str:
    """
    Returns a host name as one host tells it to another, in lower case and without dots at its end.

    Returns:
        An empty text where the name is longer than `LONGEST_TOLD_NAME`, none of RFC 1123, one that every machine may have, or one that ends with a
        number, as an address does.
    """
    name = text.lower().rstrip(".")
    told = len(name) <= LONGEST_TOLD_NAME and is_host_name(name) and name not in _NAMELESS and not name.rpartition(".")[2].isdigit()
    return name if told else ""
