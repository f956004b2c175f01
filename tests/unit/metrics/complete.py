"""A daemon that has seen everything that there is a metric for, so that every name and label can be looked up."""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families

from pacserve.errors import IntegrityError
from pacserve.metrics.errors import ErrorClass, ErrorCounts
from pacserve.metrics.exposition import Exposition
from pacserve.metrics.requests import FRONTS, Outcome, RequestCounts
from pacserve.metrics.snapshot import MIRROR_STATES, PEER_STATES
from pacserve.report.origins import Origin
from pacserve.report.status import Status
from tests.unit.metrics.statuses import peer, status
from tests.unit.metrics.test_requests import answered, to_peer

_SELECTOR = re.compile(r"\b(pacserve_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)\s*(=~|=|!~|!=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
# What Prometheus adds to each series of a scrape.
_ADDED = {"instance", "job"}


class Everything:
    """The parts, and the text that they make."""

    def __init__(self, *, peers: bool = True, state: Status | None = None) -> None:
        self.requests, self.errors = RequestCounts(), ErrorCounts()
        self.status = status(peer("10.0.0.3:15678")) if state is None else state
        for request in (
            answered(),
            to_peer(),
            to_peer(origin="mirror https://example.org"),
            answered(status=504, origin=""),
            answered(front="package"),
        ):
            self.requests.answered(request)
        self.errors.noted(IntegrityError("x"))
        self.exposition = Exposition(self.requests, self.errors, peers=peers)

    def text(self, accept: str = "") -> tuple[str, str]:
        """What Prometheus reads, and its media type."""
        text, media_type = self.exposition.text(self.status, accept)
        return text.decode(), media_type


def exposed() -> dict[str, set[str]]:
    """The names of the labels of each sample that `/metrics` can have."""
    text = Everything().text()[0]
    return {sample.name: set(sample.labels) for family in text_string_to_metric_families(text) for sample in family.samples}


def unknown(expression: str) -> list[str]:
    """What an expression of PromQL uses and `/metrics` has not: names of metrics, and of labels that its metrics lack."""
    samples = exposed()
    missing: list[str] = []
    labels = set(_ADDED)
    for name, matchers in _SELECTOR.findall(expression):
        if name not in samples:
            missing.append(name)
            continue
        labels |= samples[name]
        missing += [f"{name}{{{label}}}" for label, _, _ in _MATCHER.findall(matchers) if label not in samples[name] | _ADDED]
    grouped = [label.strip() for group in _GROUPING.findall(expression) for label in group.split(",")]
    return missing + [label for label in grouped if label and label not in labels]


def matched_values(expression: str) -> list[tuple[str, str]]:
    """The labels and the values that an expression compares them with; alternatives of a regular expression one by one."""
    found = (match for _, matchers in _SELECTOR.findall(expression) for match in _MATCHER.findall(matchers))
    return [(label, value) for label, operator, text in found for value in (text.split("|") if "~" in operator else [text])]


def label_values() -> dict[str, set[str]]:
    """The values that each label can have; those of labels that Prometheus adds are left to the user, but for the job's name."""
    return {
        "class": {one.value for one in ErrorClass},
        "delivery": {"sent", "redirected"},
        "front": set(FRONTS),
        "job": {"pacserve"},
        "origin": {one.value for one in Origin},
        "outcome": {one.value for one in Outcome},
        "state": {*PEER_STATES, *MIRROR_STATES},
    }
