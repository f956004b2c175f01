"""The scrape job and the alerts in contrib/prometheus/."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from unittest import skipUnless

import yaml
from twisted.trial.unittest import SynchronousTestCase

from pacserve.config.settings import DEFAULT_PORT
from tests.unit.metrics.complete import label_values, matched_values, unknown

FOLDER = Path(__file__).parents[3] / "contrib/prometheus"
RULES = FOLDER / "pacserve.rules.yml"

# What happened on a host, and which alerts it makes; promtool needs both in YAML.
EVENTS = """
rule_files: [pacserve.rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {series: 'up{job="pacserve", instance="a"}', values: '1x10 0x20'}
      - {series: 'pacserve_errors_total{job="pacserve", instance="a", class="defect"}', values: '0x20 1x20'}
      - {series: 'pacserve_errors_total{job="pacserve", instance="a", class="fetch"}', values: '0+1x40'}
      - {series: 'pacserve_peers{job="pacserve", instance="a", state="known"}', values: '3x10 0x20'}
      - {series: 'pacserve_peers{job="pacserve", instance="a", state="unknown"}', values: '0x30'}
      - {series: 'pacserve_peers{job="pacserve", instance="b", state="known"}', values: '0x30'}
    alert_rule_test:
      - {eval_time: 9m, alertname: PacserveDown, exp_alerts: []}
      - eval_time: 20m
        alertname: PacserveDown
        exp_alerts: [{exp_labels: {job: pacserve, instance: a, severity: warning}, exp_annotations: {summary: pacserve on a does not answer,
          description: Meanwhile pacman uses its mirrors. See journalctl -u pacserve on that host.}}]
      - {eval_time: 20m, alertname: PacserveDefect, exp_alerts: []}
      - eval_time: 25m
        alertname: PacserveDefect
        exp_alerts: [{exp_labels: {job: pacserve, instance: a, class: defect, severity: warning}, exp_annotations: {
          summary: pacserve on a has met a defect of its own, description: The log has a traceback. Please report it.}}]
      - {eval_time: 20m, alertname: PacserveAlone, exp_alerts: []}
      - eval_time: 30m
        alertname: PacserveAlone
        exp_alerts: [{exp_labels: {job: pacserve, instance: a, severity: info}, exp_annotations: {
          summary: pacserve on a has lost all its peers,
          description: "It had peers within the last day. Either they are switched off, or its network or firewall has changed."}}]
"""


def promtool(*arguments: str, folder: Path = FOLDER) -> tuple[int, str]:
    """The exit status and what was said."""
    done = subprocess.run(["promtool", *arguments], cwd=folder, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


class PrometheusTests(SynchronousTestCase):
    def setUp(self) -> None:
        groups = yaml.safe_load(RULES.read_text())["groups"]
        self.rules: list[dict[str, Any]] = [rule for group in groups for rule in group["rules"]]

    def test_names(self) -> None:
        """Each alert goes by metrics and labels that /metrics has."""
        self.assertEqual({rule["alert"]: unknown(rule["expr"]) for rule in self.rules}, {rule["alert"]: [] for rule in self.rules})

    def test_values(self) -> None:
        """Each alert compares labels with values that they can have."""
        known = label_values()
        for rule in self.rules:
            for label, value in matched_values(rule["expr"]):
                self.assertIn(value, known[label], rule["alert"])

    def test_what_to_do(self) -> None:
        """Each alert has a name of its own, says on which host, and what it means."""
        self.assertEqual(len({rule["alert"] for rule in self.rules}), len(self.rules))
        for rule in self.rules:
            self.assertIn("{{ $labels.instance }}", rule["annotations"]["summary"])
            self.assertTrue(rule["annotations"]["description"])
            self.assertIn(rule["labels"]["severity"], ("warning", "info"))

    def test_job(self) -> None:
        """The scrape job asks for /metrics at the port of pacserve, under the name of the job that the alerts know."""
        configuration = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
        (job,) = configuration["scrape_configs"]
        self.assertEqual((job["job_name"], job.get("metrics_path", "/metrics")), ("pacserve", "/metrics"))
        self.assertEqual(job["static_configs"], [{"targets": [f"localhost:{DEFAULT_PORT}"]}])
        self.assertEqual(configuration["rule_files"], [RULES.name])

    @skipUnless(shutil.which("promtool"), "promtool is not there")
    def test_check(self) -> None:
        """Prometheus's own tool finds nothing to complain about."""
        self.assertEqual(promtool("check", "config", "prometheus.yml")[0], 0)
        self.assertEqual(promtool("check", "rules", RULES.name)[0], 0)

    @skipUnless(shutil.which("promtool"), "promtool is not there")
    def test_alerts(self) -> None:
        """A host that is down, fails or has lost its peers makes an alert; errors that nobody notices, and a host that never had peers, do not."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(RULES, folder)
            (Path(folder) / "events.yml").write_text(EVENTS)
            status, said = promtool("test", "rules", "events.yml", folder=Path(folder))
        self.assertEqual(status, 0, said)
