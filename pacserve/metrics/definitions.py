"""Every metric, defined once.  Rules only; docs/operations.md has the same table for people."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class Kind(enum.Enum):
    """The types of OpenMetrics that are used here."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Definition:
    """
    A metric.

    Attributes:
        name: With the suffix `_total` where it is a counter.
        labels: The names of its labels.
        text: Its description, for `HELP`.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Distribution:
    """
    The values of a histogram.

    Attributes:
        counts: The number of values up to each of `bounds` and above the bound before it; the last count is of those above all bounds.
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
        samples: The values, by those of the labels in their order.
    """

    definition: Definition
    samples: Mapping[tuple[str, ...], float | Distribution]


_COUNTER, _GAUGE, _HISTOGRAM = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM

REQUESTS = Definition("pacserve_requests_total", _COUNTER, "Answered requests.", ("front", "origin", "outcome"))
DELIVERED = Definition(
    "pacserve_delivered_bytes_total",
    _COUNTER,
    "Bytes of files that were sent to pacman and apt, or that pacman was redirected to.",
    ("origin", "delivery"),
)
SAVED = Definition("pacserve_wan_saved_bytes_total", _COUNTER, "Bytes that did not come over the WAN because a cache or a peer had them.")
SERVED = Definition("pacserve_served_bytes_total", _COUNTER, "Bytes of files that were sent to peers.", ("front",))
LOOKUP = Definition(
    "pacserve_lookup_seconds", _HISTOGRAM, "Time until pacman was redirected, or pacman or apt told that there is no such file.", ("origin",)
)
TRANSFER = Definition("pacserve_transfer_seconds", _HISTOGRAM, "Time until a whole file was sent.", ("front", "origin"))
ERRORS = Definition("pacserve_errors_total", _COUNTER, "Errors, most of which no client has noticed.", ("class",))

BUILD = Definition("pacserve_build_info", _GAUGE, "Always 1; the labels state the version and the options.", ("version", "misses", "hits"))
STARTED = Definition("pacserve_start_time_seconds", _GAUGE, "When the daemon started, in seconds since the epoch.")
PEERS = Definition("pacserve_peers", _GAUGE, "Other pacservers, by state.", ("state",))
MIRRORS = Definition("pacserve_mirrors", _GAUGE, "Mirrors of pacman.conf and of apt's sources, by state.", ("state",))
GENERATION = Definition("pacserve_inventory_generation", _GAUGE, "Generation of the inventory; it grows with each change.")
FILES = Definition("pacserve_inventory_files", _GAUGE, "Package files and signatures that are offered to peers.")
SIZE = Definition("pacserve_inventory_bytes", _GAUGE, "Bytes of these files.")
DOWNLOADS = Definition("pacserve_downloads", _GAUGE, "Downloads that this host is running.")
CLAIMS = Definition("pacserve_claims", _GAUGE, "Claims for downloads that this host keeps for the LAN.")
SPOOL_FILES = Definition("pacserve_spool_files", _GAUGE, "Downloads that are kept; absent where this host downloads nothing.")
SPOOL_SIZE = Definition("pacserve_spool_bytes", _GAUGE, "Bytes of the downloads that are kept.")
SPOOL_LIMIT = Definition("pacserve_spool_limit_bytes", _GAUGE, "The most bytes of downloads that are kept.")

PEER_USED = Definition("pacserve_peer_used", _GAUGE, "1 if a peer is used, else 0.", ("address",))
PEER_FILES = Definition("pacserve_peer_files", _GAUGE, "Files that a peer holds, as far as is known.", ("address",))
PEER_DELAY = Definition("pacserve_peer_delay_seconds", _GAUGE, "Time that a peer lately took to say whether it has a file.", ("address",))
PEER_FAILURES = Definition("pacserve_peer_failures", _GAUGE, "Questions in a row that a peer did not answer.", ("address",))
PEER_GIVEN = Definition(
    "pacserve_peer_given_bytes_total", _COUNTER, "Bytes that a peer gave, or for which pacman was redirected to it.", ("address",)
)

OF_EACH_PEER = (PEER_USED, PEER_FILES, PEER_DELAY, PEER_FAILURES, PEER_GIVEN)
"""The metrics that need `--metrics-peers`."""

ALL = (
    *(REQUESTS, DELIVERED, SAVED, SERVED, LOOKUP, TRANSFER, ERRORS),
    *(BUILD, STARTED, PEERS, MIRRORS, GENERATION, FILES, SIZE, DOWNLOADS, CLAIMS, SPOOL_FILES, SPOOL_SIZE, SPOOL_LIMIT),
    *OF_EACH_PEER,
)
