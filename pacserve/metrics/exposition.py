"""The text that Prometheus reads: the one module that knows prometheus_client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate, chain
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from pacserve.metrics.definitions import Distribution, Family, Kind
from pacserve.metrics.errors import ErrorCounts
from pacserve.metrics.requests import RequestCounts
from pacserve.metrics.snapshot import families_of
from pacserve.report.status import Status

# OpenMetrics in its one version, and the classic text.  Versions and escaping that a client asks for are ignored: these names need no escaping.
_OPEN_METRICS = "application/openmetrics-text"
_OPEN_METRICS_1 = f"{_OPEN_METRICS};version=1.0.0"

# The classes take different values in add_metric, which their types can't say.
_KINDS: dict[Kind, Any] = {Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily, Kind.HISTOGRAM: HistogramMetricFamily}


class Exposition:
    """
    Writes all metrics as text.

    Args:
        peers: True to include metrics of each peer, by its address.
    """

    def __init__(self, requests: RequestCounts, errors: ErrorCounts, *, peers: bool = False) -> None:
        self._requests = requests
        self._errors = errors
        self._peers = peers

    def text(self, status: Status, accept: str) -> tuple[bytes, str]:
        """
        Returns the metrics as they are now.

        Args:
            status: The present state of the daemon.
            accept: The value of the Accept header; OpenMetrics is written where it is named, else the classic text format.

        Returns:
            The text and its media type.
        """
        named = any(one.partition(";")[0].strip().lower() == _OPEN_METRICS for one in accept.split(","))
        encode, media_type = choose_encoder(_OPEN_METRICS_1 if named else "")
        families = chain(self._requests.families(), self._errors.families(), families_of(status, peers=self._peers))
        return encode(_Collected(families)), media_type


class _Collected(Collector):
    """Gives prometheus_client the families that were collected already."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return map(_metric, self._families)


def _metric(family: Family) -> Metric:
    defined = family.definition
    made = _KINDS[defined.kind](defined.name, defined.text, labels=defined.labels)
    for labels, value in family.samples.items():
        if isinstance(value, Distribution):
            made.add_metric(labels, _buckets(value), value.total)
        else:
            made.add_metric(labels, value)
    metric: Metric = made
    return metric


def _buckets(values: Distribution) -> list[tuple[str, float]]:
    """Returns the cumulative counts up to each bound, as Prometheus wants them."""
    bounds = [*(str(bound) for bound in values.bounds), "+Inf"]
    return list(zip(bounds, accumulate(map(float, values.counts)), strict=True))
