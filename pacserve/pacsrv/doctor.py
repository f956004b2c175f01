"""`pacsrv doctor`: runs the checks and shows their findings.  Rules only."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pacserve.pacsrv.checks import apt, configuration, host, network, servers
from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Check, Finding, Level
from pacserve.pacsrv.layout import Screen, Style
from pacserve.pacsrv.text import number, printable
from pacserve.report.status import FindingStatus

CHECKS: tuple[tuple[str, Check], ...] = (
    ("pacserve", host.check_daemon),
    ("pacman.conf", servers.check_servers),
    ("pacman.conf", servers.check_schemes),
    ("file://", servers.check_folders),
    ("CacheServer", servers.check_cache_servers),
    ("apt", apt.check_apt),
    ("apt", apt.check_proxies),
    ("apt", apt.check_lists),
    ("XferCommand", configuration.check_xfer_command),
    ("mirrors", network.check_mirrors),
    ("proxy", network.check_proxy),
    ("firewall", network.check_firewall),
    ("clock", host.check_clock),
    ("signatures", configuration.check_signatures),
    ("package caches", host.check_package_caches),
    ("identity", network.check_identity),
    ("disk", host.check_disk),
    ("spool", host.check_spool),
)
# The checks that a daemon makes of its own host: of the others, one asks the daemon, and two judge how the user runs pacman.
DAEMON_CHECKS = tuple((name, check) for name, check in CHECKS if name not in {"pacserve", "proxy", "signatures"})

_STYLES = {Level.WELL: Style.GOOD, Level.DOUBTFUL: Style.DOUBTFUL, Level.WRONG: Style.BAD}
_LEVEL_WIDTH = max(len(level.value) for level in Level)

Findings = Sequence[tuple[str, Finding]]


def examine(facts: Facts, checks: Sequence[tuple[str, Check]] = CHECKS) -> Findings:
    """Runs the checks and returns their findings, each with the name of its check."""
    return [(name, finding) for name, check in checks for finding in check(facts)]


def troubles(findings: Findings) -> tuple[FindingStatus, ...]:
    """Returns the findings that need a cure, as `/status` tells them."""
    return tuple(FindingStatus(name, one.level.value, one.text, one.cure) for name, one in findings if one.level is not Level.WELL)


def exit_status(findings: Findings) -> int:
    """Returns 1 where something is wrong, else 0."""
    return int(any(finding.level is Level.WRONG for _, finding in findings))


def show_findings(findings: Findings, screen: Screen) -> list[str]:
    """Returns the findings as lines; they are not cut to the width of the terminal, since a cure that is cut cures nothing."""
    lines = []
    for name, finding in findings:
        level = screen.styled(finding.level.value.ljust(_LEVEL_WIDTH), _STYLES[finding.level])
        lines.append(f"{level}  {name}: {_whole(finding.text)}")
        if finding.cure:
            lines.append(f"{' ' * _LEVEL_WIDTH}  -> {_whole(finding.cure)}")
    wrong = sum(finding.level is Level.WRONG for _, finding in findings)
    warnings = sum(finding.level is Level.DOUBTFUL for _, finding in findings)
    return [*lines, f"{number(wrong, 'thing is', 'things are')} wrong, {number(warnings, 'warning', 'warnings')}"]


def encode_findings(findings: Findings) -> str:
    """Returns the findings in JSON."""
    found = [{"check": name, "level": one.level.value, "text": one.text, "cure": one.cure} for name, one in findings]
    return json.dumps({"wrong": bool(exit_status(findings)), "findings": found}, indent=1)


def _whole(text: str) -> str:
    return printable(text, len(text))
