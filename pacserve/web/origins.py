"""
The hosts that gave a file, in the words of the access log, and read from there.  Rules only.

A file of one host is from `mirror https://a.example`, one of several from `mirrors https://a.example 41234567 bytes, https://b.example 330 bytes`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Characters of a host in the words for several; of all of them, so that the line of the log has room for how the file arrived.
_LONGEST_NAME = 60
_LONGEST_SOURCE = 250
# The kinds of hosts that give files, as they are called where several did, and those that the words for several did not have room for.
_KINDS = {"mirrors": "mirror", "peers": "peer"}
OTHERS = "others"
_SHARE = re.compile(r"(?:([a-z]+) )?([^ ,]+) ([0-9]{1,15}) bytes(?:, |\Z)")


@dataclass(frozen=True, slots=True)
class Share:
    """
    The bytes of a file that one host gave.

    Attributes:
        source: The host, `mirror https://a.example` or `peer 10.0.0.3:15678`; `others` for several that the words for them had no room for.
        size: Bytes.
    """

    source: str
    size: int

    @property
    def kind(self) -> str:
        """The kind of the host, `mirror` or `peer`."""
        return self.source.partition(" ")[0]

    @property
    def name(self) -> str:
        """The host without its kind."""
        return self.source.partition(" ")[2] or self.source


def source_text(shares: Sequence[Share]) -> str:
    """
    Returns the hosts that gave a file, in words of bounded length: one by its name, several with the bytes of each, the largest share first.

    The first word says from which kind of host most of the bytes are.
    """
    if len(shares) < 2:
        return shares[0].source if shares else ""
    sizes: Counter[str] = Counter()
    for share in shares:
        sizes[share.kind] += share.size
    main = sizes.most_common(1)[0][0]
    left = sum(sizes.values())
    parts: list[str] = []
    length = 0
    for share in sorted(shares, key=lambda share: -share.size):
        kind = "" if share.kind == main else f"{share.kind} "
        part = _part(kind + share.name[:_LONGEST_NAME], share.size)
        length += len(part) + len(", ")
        if length > _LONGEST_SOURCE - len(_part(OTHERS, left)):
            parts.append(_part(OTHERS, left))
            break
        parts.append(part)
        left -= share.size
    return f"{main}s {', '.join(parts)}"


def shares_in(origin: str) -> tuple[Sequence[Share], str]:
    """
    Returns what each of several hosts gave, the largest share first, and how the file arrived.

    Args:
        origin: The origin of a file, as the log has it; none was given by several hosts where it names one.
    """
    plural, _, rest = origin.partition(" ")
    kind = _KINDS.get(plural)
    if kind is None:
        return (), origin
    shares = []
    at = 0
    while (match := _SHARE.match(rest, at)) is not None:
        source = OTHERS if match[2] == OTHERS else f"{match[1] or kind} {match[2]}"
        shares.append(Share(source, int(match[3])))
        at = match.end()
    return shares, rest[at:]


def _part(name: str, size: int) -> str:
    return f"{name} {size} bytes"
