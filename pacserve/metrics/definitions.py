"""Every metric, defined once.  Rules only; docs/operations.md has the same table for people."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class Kind(enum.Enum):
    """The types of OpenMetrics that are used."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Definition:
    """
    A metric.

    Attributes:
        name: With the suffix `_total` where it is a counter.
        labels: Their names.
        text: What it is, for `HELP`.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Distribution:
    """
    How values are spread.

    Attributes:
        counts: The values up to each of `bounds` and above the one before it; the last count is of those above all bounds.
        total: The sum of all values.
    """

    bounds: Sequence[float]
    counts: Sequence[int]
    total: float


@dataclass(frozen=True, slots=True)
class Family:
    """
    A metric with its values.

    Attributes:
        samples: By the values of the labels, in their order.
    """

    definition: Definition
    samples: Mapping[tuple[str, ...], float | Distribution]


_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

REQUESTS = Definition("pacserve_requests_total", _COUNTER, "Requests that were answered.", ("front", "origin", "outcome"))
DELIVERED = Definition(
    "pacserve_delivered_bytes_total", _COUNTER, "Bytes of files that pacman was sent, or was redirected to.", ("origin", "delivery")
)
SAVED = Definition("pacserve_wan_saved_bytes_total", _COUNTER, "Bytes that did not come over the WAN because a cache or a peer had them.")
SERVED = Definition("pacserve_served_bytes_total", _COUNTER, "Bytes of files that peers were sent.", ("front",))
LOOKUP = Definition("pacserve_lookup_seconds", _HISTOGRAM, "Time until pacman was redirected, or told that there is no such file.", ("origin",))
TRANSFER = Definition("pacserve_transfer_seconds", _HISTOGRAM, "Time until a whole file was sent.", ("front", "origin"))
ERRORS = Definition("pacserve_errors_total", _COUNTER, "Errors that were met, most of which no client has noticed.", ("class",))

BUILD = Definition("pacserve_build_info", _GAUGE, "Always 1; the labels say what runs.", ("version", "misses", "hits"))
STARTED = Definition("pacserve_start_time_seconds", _GAUGE, "When the daemon started, in seconds since the epoch.")
PEERS = Definition("pacserve_peers", _GAUGE, "Other pacservers, by what may be asked of them.", ("state",))
MIRRORS = Definition("pacserve_mirrors", _GAUGE, "Mirrors of pacman.conf, by how they do.", ("state",))
GENERATION = Definition("pacserve_inventory_generation", _GAUGE, "Grows when what is offered to peers changes.")
FILES = Definition("pacserve_inventory_files", _GAUGE, "Package files and signatures that are offered to peers.")
SIZE = Definition("pacserve_inventory_bytes", _GAUGE, "Bytes of these files.")
DOWNLOADS = Definition("pacserve_downloads", _GAUGE, "Downloads that are running here.")
CLAIMS = Definition("pacserve_claims", _GAUGE, "Claims for downloads that this host keeps for the LAN.")
SPOOL_FILES = Definition("pacserve_spool_files", _GAUGE, "Downloads that are kept; absent where nothing is downloaded here.")
SPOOL_SIZE = Definition("pacserve_spool_bytes", _GAUGE, "Bytes of the downloads that are kept.")
SPOOL_LIMIT = Definition("pacserve_spool_limit_bytes", _GAUGE, "The most bytes of downloads that are kept.")

PEER_USED = Definition("pacserve_peer_used", _GAUGE, "Whether a peer is used: 1, or 0.", ("address",))
PEER_FILES = Definition("pacserve_peer_files", _GAUGE, "Files that a peer holds, as far as is known.", ("address",))
PEER_DELAY = Definition("pacserve_peer_delay_seconds", _GAUGE, "Time until a peer says whether it has a file, lately.", ("address",))
PEER_FAILURES = Definition("pacserve_peer_failures", _GAUGE, "How often in a row a peer did not say so.", ("address",))
PEER_GIVEN = Definition("pacserve_peer_given_bytes_total", _COUNTER, "Bytes that a peer gave, or that pacman was sent there for.", ("address",))

OF_EACH_PEER = (PEER_USED, PEER_FILES, PEER_DELAY, PEER_FAILURES, PEER_GIVEN)
"""Those that are behind `--metrics-peers`."""

ALL = (
    *(REQUESTS, DELIVERED, SAVED, SERVED, LOOKUP, TRANSFER, ERRORS),
    *(BUILD, STARTED, PEERS, MIRRORS, GENERATION, FILES, SIZE, DOWNLOADS, CLAIMS, SPOOL_FILES, SPOOL_SIZE, SPOOL_LIMIT),
    *OF_EACH_PEER,
)
