"""The dashboard in contrib/grafana/."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from itertools import combinations
from pathlib import Path
from typing import Any
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from pacserve.metrics.definitions import ALL
from tests.unit.metrics.complete import label_values, matched_values, unknown

DASHBOARD = Path(__file__).parents[3] / "contrib/grafana/pacserve.json"

# Metrics that are for alerts and for looking things up.
_NOT_SHOWN = {
    "pacserve_start_time_seconds",
    "pacserve_inventory_generation",
    "pacserve_inventory_files",
    "pacserve_spool_files",
    "pacserve_peer_used",
    "pacserve_peer_files",
    "pacserve_peer_delay_seconds",
    "pacserve_peer_failures",
}


class GrafanaTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text())
        self.panels: list[dict[str, Any]] = self.dashboard["panels"]
        self.expressions = [target["expr"] for panel in self.panels for target in panel["targets"]]

    def test_names(self) -> None:
        """Each plot shows metrics and labels that /metrics has."""
        variables = [variable["query"]["query"] for variable in self.dashboard["templating"]["list"] if variable["type"] == "query"]
        for expression in (*self.expressions, *variables):
            self.assertEqual(unknown(expression), [], expression)

    def test_values(self) -> None:
        """Each plot compares labels with values that they can have."""
        known = label_values()
        for expression in self.expressions:
            for label, value in matched_values(expression):
                if not value.startswith("$"):
                    self.assertIn(value, known[label], expression)

    def test_legends(self) -> None:
        """The legend of a plot names labels that its expression leaves."""
        for panel in self.panels:
            for target in panel["targets"]:
                grouping = re.search(r"\bby \(([^)]*)\)", target["expr"])
                left = {"instance"} if grouping is None else {label.strip() for label in grouping[1].split(",")}
                self.assertEqual(set(re.findall(r"{{(\w+)}}", target["legendFormat"])) - left, set(), panel["title"])

    def test_complete(self) -> None:
        """Every metric is shown, but for some that are named here."""
        text = " ".join([*self.expressions, json.dumps(self.dashboard["templating"])])
        missing = {definition.name for definition in ALL if not re.search(rf"\b{definition.name}(_bucket)?\b", text)}
        self.assertEqual(missing, _NOT_SHOWN)

    @skipUnless(shutil.which("promtool"), "promtool is not there")
    def test_check(self) -> None:
        """Prometheus understands every expression."""
        rules = []
        for number, expression in enumerate(self.expressions):
            filled = expression.replace("$__rate_interval", "5m").replace("$__range", "1h").replace("$instance", ".*")
            rules.append({"record": f"plot:{number}", "expr": filled})
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "plots.yml"
            path.write_text(json.dumps({"groups": [{"name": "plots", "rules": rules}]}))
            done = subprocess.run(["promtool", "check", "rules", str(path)], check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_any_prometheus(self) -> None:
        """It is tied to no data source: whoever imports it chooses one."""
        uids = set(re.findall(r'"uid": "([^"]*)"', DASHBOARD.read_text()))
        self.assertEqual(uids, {"${datasource}", "pacserve"})

    def test_layout(self) -> None:
        """No two panels share a place or an id."""
        self.assertEqual(len({panel["id"] for panel in self.panels}), len(self.panels))
        for one, other in combinations([panel["gridPos"] for panel in self.panels], 2):
            apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            self.assertTrue(apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"], (one, other))
            self.assertLessEqual(one["x"] + one["w"], 24)
