"""Gathers what the doctor judges of apt: its configuration, the script that names its proxy, its sources and its lists."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Sequence
from itertools import pairwise

from pacserve.config.settings import DEFAULT_APT_PORT
from pacserve.network.addresses import parse_endpoint
from pacserve.pacsrv.asking import Daemon, SilentError
from pacserve.pacsrv.facts import AptFacts, Folder
from pacserve.pacsrv.folders import look_at
from pacserve.pacsrv.pacman import output_of
from pacserve.pacsrv.process import User
from pacserve.pacsrv.setup.apt import AptState, stated_options
from pacserve.pacsrv.setup.machine import read_apt_state
from pacserve.pacsrv.setup.record import APT_CONFIGURATION, APT_SCRIPT, OPTION_FILES

LISTS = "/var/lib/apt/lists"
# A user without any rights of its own.
_STRANGER = User(-1, frozenset())

# apt.conf(5): names are the same in upper and lower case.
_SETTING = re.compile(r'Acquire::http::(Proxy(?:::([^ "]+))?|Proxy-?Auto-?Detect) "([^"]*)";', re.IGNORECASE)
# Sources that name pacserve themselves.
_LOCAL = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::|/|$)", re.IGNORECASE)
_DAEMON_PROXY = re.compile(r"[ \t]*https?_proxy[ \t]*=[ \t]*\S", re.IGNORECASE)


def gather_apt_here() -> AptFacts | None:
    """Returns what can be found out without asking anyone, and fast; None on a host without apt."""
    dump = output_of(("apt-config", "dump"))
    return None if dump is None else read_apt(dump, read_apt_state(sys.argv[0]))


def gather_apt(daemon: Daemon, user: User | None) -> AptFacts | None:
    """
    Returns everything that the checks judge; takes a second where pacserve answers apt.

    Args:
        user: The user that the daemon runs as; None where that is not known.
    """
    facts = gather_apt_here()
    if facts is None:
        return None
    silence = _silence(daemon, facts)
    if not (facts.wanted or facts.proxy or silence == ""):
        return facts
    sources = output_of(("apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)")) or ""
    every = [line.strip().rstrip("/") for line in dict.fromkeys(sources.splitlines())]
    direct = [source for source in every if source.lower().startswith("https://")]
    shared = [source for source in every if source.lower().startswith("http://") and not _LOCAL.match(source)]
    unknown = [source for source in shared if facts.proxy and not (output_of((facts.detector, f"{source}/")) or "").strip()]
    # What every user may read the daemon may, too; only root finds out its user.
    lists = look_at(LISTS, user or _STRANGER, _is_list)
    if lists.problem and user is None:
        lists = Folder(LISTS, doubt="it is not known whether pacserve's user may read it")
    if not (lists.problem or lists.missing or _has_lists()):
        lists = Folder(LISTS, missing=True)
    return dataclasses.replace(facts, silence=silence, lists=lists, direct=tuple(direct), unknown=tuple(unknown))


def read_apt(dump: str, state: AptState, script: str = APT_SCRIPT) -> AptFacts:
    """
    Returns what a configuration says, with what pacserve's script says where that is in use.

    Args:
        dump: The output of `apt-config dump`.
        script: The path of the script.
    """
    detectors: dict[bool, str] = {}
    proxies: dict[str, str] = {}
    for match in map(_SETTING.fullmatch, dump.splitlines()):
        if match is None or not match[3]:
            continue
        if match[1].lower().startswith("proxy") and "detect" in match[1].lower():
            detectors["-" in match[1]] = match[3]
        else:
            proxies[(match[2] or "").lower()] = match[3]
    detector = detectors.get(True) or detectors.get(False, "")  # apt takes the newer name, with hyphens, where both are there
    # Programs of others are not run.
    ours = detector == script
    fault = _fault(script) if ours else ""
    said = output_of((script,)) if ours and not fault else ""
    options = stated_options(state)
    return AptFacts(
        wanted="--apt" in options,
        port=_port(options),
        configured=APT_CONFIGURATION in state.files,
        detector=detector,
        fault=fault or ("it fails" if said is None else ""),
        proxy=(said or "").strip(),
        proxies=proxies,
        daemon_proxy=any(_DAEMON_PROXY.match(line) for path in OPTION_FILES if path in state.files for line in state.files[path].text.splitlines()),
    )


def _fault(program: str) -> str:
    if not os.path.exists(program):  # noqa: PTH110
        return "it is missing"
    return "" if os.access(program, os.X_OK) else "it can't be started"


def _port(words: Sequence[str]) -> int:
    named = [after for word, after in pairwise(words) if word == "--apt-port"]
    named += [word.partition("=")[2] for word in words if word.startswith("--apt-port=")]
    return int(named[-1]) if named and named[-1].isascii() and named[-1].isdigit() and len(named[-1]) <= 5 else DEFAULT_APT_PORT


def _silence(daemon: Daemon, facts: AptFacts) -> str:
    """Returns why pacserve does not answer where apt asks it, or would; empty where it does."""
    host, port = "127.0.0.1", facts.port
    if facts.detector == APT_SCRIPT and facts.proxy.startswith("http://"):
        try:
            endpoint = parse_endpoint(facts.proxy.removeprefix("http://"), DEFAULT_APT_PORT)
        except ValueError:
            return "it is no URL"
        host, port = endpoint.host, endpoint.port
    try:
        daemon.greet(host, port)
    except SilentError as error:
        return str(error)
    return ""


def _is_list(name: str) -> bool:
    return re.search(r"_(Packages|Sources)(\.\w+)?$", name) is not None


def _has_lists() -> bool:
    try:
        return any(_is_list(name) for name in os.listdir(LISTS))  # noqa: PTH208
    except OSError:
        return False
