"""The record of what `pacsrv setup` did besides editing files, so that `--undo` takes back no more than that.  Rules only."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

# Where root keeps it.  The edits of files need no record: they carry their marks.
RECORD = "/var/lib/pacsrv/setup.json"
# The chains that pacserve-firewall takes: FAMILY TABLE CHAIN.
CHAIN = re.compile(r"(?:inet|ip|ip6) [A-Za-z0-9_-]+ [A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, slots=True)
class Record:
    """
    A record of the changes that setup made besides those of files.

    Attributes:
        enabled: True if it enabled the service.
        started: True if it started the service.
        firewall: The chains of nftables that it opened, as FAMILY TABLE CHAIN; an empty text stands for iptables.
    """

    enabled: bool = False
    started: bool = False
    firewall: tuple[str, ...] = ()


def encode(record: Record) -> str:
    """Returns a record as the text of its file."""
    return json.dumps(asdict(record)) + "\n"


def decode(text: str) -> Record:
    """
    Returns the record that a text states.

    Raises:
        ValueError: It states none.
    """
    fields = json.loads(text)
    if not isinstance(fields, dict) or not isinstance(fields.get("firewall"), list):
        raise ValueError("no record of pacsrv setup")
    chains = tuple(chain for chain in fields["firewall"] if isinstance(chain, str) and (not chain or CHAIN.match(chain)))
    return Record(fields.get("enabled") is True, fields.get("started") is True, chains)
