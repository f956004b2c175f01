"""What docs/operations.md says is what there is."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.config.options import build_parser
from pacserve.metrics.definitions import ALL
from pacserve.metrics.errors import ErrorClass
from pacserve.metrics.requests import FRONTS, Outcome
from pacserve.metrics.snapshot import MIRROR_STATES, MOST_PEERS, PEER_STATES
from pacserve.network.addresses import parse_address
from pacserve.report.origins import Origin
from pacserve.web.access_log import AccessLog
from pacserve.web.origins import Share, source_text
from pacserve.web.witness import Answered, ClientLeft

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/operations.md").read_text()

_LEVELS = {"debug", "info", "warn", "error", "failure", "critical"}
_CODE = re.compile(r"`([^`]+)`")


def table(heading: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading."""
    lines = TEXT[TEXT.index(f"\n| {heading} |") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines[2:]]


def codes(cell: str) -> list[str]:
    """What stands in a cell between backticks."""
    return _CODE.findall(cell)


class MetricTests(SynchronousTestCase):
    def test_metrics(self) -> None:
        """The table has every metric, with its type and its labels, in the order of their definitions."""
        told = [(codes(row[0])[0], row[1], tuple(codes(row[2]))) for row in table("metric")]
        self.assertEqual(told, [(one.name, one.kind.value, one.labels) for one in ALL])

    def test_label_values(self) -> None:
        """The table has every value of every label whose values are few."""
        told: dict[str, set[str]] = {}
        label = ""
        for first, second, *_ in table("label"):
            label = first or label
            told.setdefault(label, set()).update(codes(second))
        self.assertEqual(
            told,
            {
                "`front`": set(FRONTS),
                "`origin`": {origin.value for origin in Origin},
                "`outcome`": {outcome.value for outcome in Outcome},
                "`delivery`": {"sent", "redirected"},
                "`class`": {one.value for one in ErrorClass},
                "`state` of peers": set(PEER_STATES),
                "`state` of mirrors": set(MIRROR_STATES),
            },
        )

    def test_most_peers(self) -> None:
        """The text has the number of peers that are told of one by one."""
        self.assertIn(f"for {MOST_PEERS} peers at most", TEXT)


class LogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.lines = sorted(set(_log_lines()))

    def test_access_log(self) -> None:
        """The examples of answered requests are what the access log writes."""
        written: list[str] = []
        clock = Clock()
        log = AccessLog(written.append, clock)

        zlib, here = "zlib-1:1.3.1-2-x86_64.pkg.tar.zst", parse_address("127.0.0.1")
        wanted, sent = f"/request/core/x86_64/{zlib}".encode(), f"/package/{zlib}/data".encode()
        mirrors = source_text([Share("mirror https://b.example", 16 << 20), Share("mirror https://a.example", 24 << 20)])
        absent = b"/request/core/x86_64/none-1-1-any.pkg.tar.zst"
        log.answered(Answered("request", "GET", wanted, here, 307, "peer 10.0.0.3:15678", 95872, 0.0009, redirected=True))
        large = b"/request/extra/x86_64/go-2:1.25.4-1-x86_64.pkg.tar.zst"
        log.answered(Answered("request", "GET", large, here, 200, f"{mirrors}, downloaded", 40 << 20, 3.8))
        log.answered(Answered("package", "GET", sent, parse_address("10.0.0.4"), 200, "cache", 40960, 1.25, complete=False))
        log.answered(Answered("request", "GET", absent, here, 404, "mirror https://example.org: no such file", 75, 0.031))
        log.client_left(ClientLeft("request", "GET", wanted, here, 4.0))
        log.flush()
        example = TEXT[TEXT.index("### Answered requests") :].split("```")[1].strip().splitlines()
        self.assertEqual([line.partition(" ")[2] for line in "".join(written).splitlines()], [line.partition(" ")[2] for line in example])

    def test_lines(self) -> None:
        """The table has every line that can be logged at info and above, but for defects, and no other."""
        told = {(row[0], codes(row[1])[0]) for row in table("level | line")}
        self.assertEqual(told, {(level, line) for level, line in self.lines if level in {"info", "warn"}})

    def test_defects(self) -> None:
        """What is logged as an error is always a failure, with its traceback."""
        self.assertEqual([line for level, line in self.lines if level in {"error", "critical"}], [])

    def test_fields(self) -> None:
        """The table has every field of every line, and no other."""
        told = {field for row in table("field | meaning |\n|---|---|\n| `bytes`") for field in codes(row[0])} | {"bytes"}
        self.assertEqual(told, {field for _, line in self.lines for field in re.findall(r"{(\w+)", line)})


class OptionTests(SynchronousTestCase):
    def test_options(self) -> None:
        """The table has every option with what it takes, in the order of --help."""
        self.assertEqual([codes(row[0])[0] for row in table("option")], [_shown(action) for action in build_parser()._actions])

    def test_defaults(self) -> None:
        """Where an option has a default that is a number or a word, the table has the same."""
        told = {codes(row[0])[0].split(" ")[0]: row[1] for row in table("option")}
        for action in build_parser()._actions:
            if isinstance(action.default, (str, int, float)) and not isinstance(action.default, bool) and action.default != argparse.SUPPRESS:
                if action.dest in {"spool", "state"}:  # which depend on the user
                    continue
                shown = "5G" if action.dest == "spool_size" else f"{action.default:g}" if isinstance(action.default, float) else str(action.default)
                self.assertEqual(told[action.option_strings[-1]], shown)


def _shown(action: argparse.Action) -> str:
    takes = action.metavar or (",".join(map(str, action.choices)) if action.choices else "")
    return f"{action.option_strings[-1]} {takes}".strip()


def _log_lines() -> Iterator[tuple[str, str]]:
    """The level and the format of every call of a logger."""
    for path in sorted((ROOT / "pacserve").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or node.func.attr not in _LEVELS or not node.args:
                continue
            called, line = node.func.value, node.args[0]
            if isinstance(called, ast.Attribute) and called.attr == "_log" and isinstance(line, ast.Constant):
                yield node.func.attr, str(line.value)
