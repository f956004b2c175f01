"""Checks of apt's configuration: that it asks pacserve where that answers apt, and never fails because of it."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.pacsrv.facts import AptFacts, Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well, wrong
from pacserve.pacsrv.setup.record import APT_CONFIGURATION, APT_SCRIPT

_SETUP = "sudo pacsrv setup --apt"
_RESTART = "systemctl restart pacserve; the log has the reason where that does not help (journalctl -u pacserve)"


def check_apt(facts: Facts) -> Iterable[Finding]:
    """Checks that apt finds the script that its configuration names, that this names the daemon, and that the daemon answers."""
    apt = facts.apt
    if apt is None:
        return
    if apt.detector == APT_SCRIPT and apt.fault:
        yield wrong(f"apt fails: {APT_SCRIPT}, which {APT_CONFIGURATION} names, can't be used: {apt.fault}", f"{_SETUP}, or rm {APT_CONFIGURATION}")
    elif apt.detector == APT_SCRIPT and apt.proxy:
        yield _judged_proxy(apt)
    elif _answers(apt):
        yield from _judged_configuration(apt)
    elif apt.wanted and not facts.silence and apt.silence:
        yield wrong(f"pacserve does not answer apt on port {apt.port}, as its options say: {apt.silence}", _RESTART)
    elif apt.configured and not apt.wanted:
        yield well(f"apt does not ask pacserve, which runs without --apt ({_SETUP} changes that)")


def _judged_proxy(apt: AptFacts) -> Finding:
    """Judges a daemon that says to apt that it is there."""
    if apt.silence:
        return wrong(f"apt asks pacserve at {apt.proxy}, which does not answer: {apt.silence}", _RESTART)
    return well(f"apt asks pacserve at {apt.proxy}")


def _answers(apt: AptFacts) -> bool:
    return apt.silence == ""


def _judged_configuration(apt: AptFacts) -> Iterable[Finding]:
    """Judges a configuration that does not lead to a daemon that answers."""
    where = f"pacserve answers apt on port {apt.port}"
    if apt.detector == APT_SCRIPT:
        yield wrong(f"{where}, but apt is not told so: the daemon could not write /run/pacserve/apt, or /proc hides it (hidepid)", _RESTART)
    elif apt.detector:
        yield doubtful(
            f"{where}, but apt asks {apt.detector} for its proxy",
            f"{_SETUP}; then remove the other line: grep -rn Auto-Detect /etc/apt",
        )
    elif any(proxy.rstrip("/").endswith(f":{apt.port}") for proxy in apt.proxies.values()):
        yield doubtful(f"{where}, and apt waits for it when it is down", f"{_SETUP}; then remove Acquire::http::Proxy: grep -rn http::Proxy /etc/apt")
    else:
        yield doubtful(f"{where}, but apt of this host does not ask it", _SETUP)


def check_proxies(facts: Facts) -> Iterable[Finding]:
    """Checks that no other option of apt keeps it from pacserve, and that the daemon knows the proxy of this network."""
    apt = facts.apt
    if apt is None or not (apt.detector == APT_SCRIPT and (apt.proxy or apt.wanted)):
        return
    others = {host: proxy for host, proxy in apt.proxies.items() if host}
    if others:
        yield doubtful(
            f"apt does not ask pacserve for files of {some(others)}: Acquire::http::Proxy::{next(iter(others))} says so",
            "remove these lines, if that is not meant: grep -rn http::Proxy /etc/apt",
        )
    if apt.proxies.get("") and not apt.daemon_proxy:
        proxy = apt.proxies[""]
        yield doubtful(
            f"apt has the proxy {proxy} (Acquire::http::Proxy), which pacserve does not use when it asks mirrors for apt",
            f"write http_proxy={proxy} into /etc/default/pacserve, if mirrors can only be reached that way, and restart pacserve",
        )
    if apt.unknown:
        yield doubtful(
            f"apt does not ask pacserve for {some(apt.unknown)}, which pacserve does not know",
            "systemctl restart pacserve, which reads the sources anew",
        )
    if apt.direct:
        yield well(f"apt goes direct for {some(apt.direct)}, as for all of https; http://localhost:{apt.port}/{apt.direct[0]} as source is shared")


def check_lists(facts: Facts) -> Iterable[Finding]:
    """Checks that the daemon can read the lists of apt, from which it knows what files are."""
    apt = facts.apt
    if apt is None or apt.lists is None or facts.silence or not (apt.wanted or _answers(apt)):
        return
    lists = apt.lists
    if lists.missing:
        yield doubtful(f"{lists.path} has no lists: without them pacserve passes files on, and shares none", "apt-get update")
    elif lists.problem:
        yield wrong(
            f"{lists.path}: {lists.problem}; what pacserve can't look up there it does not share", f"chmod a+rX {lists.path} {lists.path}/*_*"
        )
    elif lists.doubt:
        yield doubtful(f"{lists.path}: {lists.doubt}", "run pacsrv doctor as root to find out")
    else:
        yield well(f"pacserve can read {lists.path}")
