"""The record of what `pacsrv setup` did besides editing files, so that `--undo` takes back no more than that.  Rules only."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass

# Where root keeps it.  The edits of files need no record: they carry their marks.
RECORD = "/var/lib/pacsrv/setup.json"
# The chains that pacserve-firewall takes: FAMILY TABLE CHAIN.
CHAIN = re.compile(r"(?:inet|ip|ip6) [A-Za-z0-9_-]+ [A-Za-z0-9_-]+\Z")
# The files that a setup may have written anew: apt's configuration, the script that it names, and the options of the daemon.
APT_CONFIGURATION, APT_SCRIPT = "/etc/apt/apt.conf.d/30pacserve", "/etc/apt/pacserve-proxy"
OPTION_FILES = ("/etc/default/pacserve", "/etc/conf.d/pacserve")
_CREATED = frozenset({APT_CONFIGURATION, APT_SCRIPT, *OPTION_FILES})


@dataclass(frozen=True, slots=True)
class Record:
    """
    A record of the changes that setup made besides those of files.

    Attributes:
        enabled: True if it enabled the service.
        started: True if it started the service.
        firewall: The chains of nftables that it opened, as FAMILY TABLE CHAIN; an empty text stands for iptables.
        apt: True if it gave the service the option --apt.
        created: The files that it wrote where there were none.
    """

    enabled: bool = False
    started: bool = False
    firewall: tuple[str, ...] = ()
    apt: bool = False
    created: tuple[str, ...] = ()


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
    created = fields.get("created")
    files = tuple(path for path in created if isinstance(path, str) and path in _CREATED) if isinstance(created, list) else ()
    return Record(fields.get("enabled") is True, fields.get("started") is True, chains, fields.get("apt") is True, files)
