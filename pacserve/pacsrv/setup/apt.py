"""The configuration of apt, and the option with which the daemon answers it: what a setup changes of them.  Rules only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pacserve.pacsrv.setup.planning import Change
from pacserve.pacsrv.setup.record import APT_CONFIGURATION, APT_SCRIPT, OPTION_FILES, Record

# Every apt has it.
FOLDER = "/etc/apt/apt.conf.d"

_OPTION = "--apt"
# The line that counts is the last of its kind, in the last file that has one (systemd.exec(5), EnvironmentFile=).
_ASSIGNMENT = re.compile(r"(?P<name>[ \t]*PACSERVE_ARGS[ \t]*=[ \t]*)(?P<quote>[\"']?)(?P<words>[^\"'\\\n]*)(?P=quote)(?P<rest>[ \t\r]*)")
_NAME = re.compile(r"[ \t]*PACSERVE_ARGS[ \t]*=")
# What the unit says without any file, see contrib/systemd/pacserve.service.
_DEFAULT_WORDS = "--multicast"


@dataclass(frozen=True, slots=True)
class File:
    """A file that is there."""

    text: str
    executable: bool = False


@dataclass(frozen=True, slots=True)
class AptState:
    """
    How apt and the options of the daemon are configured.

    Attributes:
        present: True if this host has apt.
        files: Those of `APT_CONFIGURATION`, `APT_SCRIPT` and `OPTION_FILES` that are there, by path.
        installed: The texts that pacserve brings for the first two; empty where they are not found.
    """

    present: bool = False
    files: Mapping[str, File] = field(default_factory=dict)
    installed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AptPlan:
    """
    The changes for apt.

    Attributes:
        changes: In an order in which apt works after each of them.
        record: The fields of the `Record` that change, with their new values.
        restart: True if the options of the daemon change.
        note: A line for the user; empty where there is nothing to say.
    """

    changes: tuple[Change, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    restart: bool = False
    note: str = ""


def plan(state: AptState, record: Record) -> AptPlan:
    """
    Returns the changes after which apt asks the pacserve of this host.

    The script comes before the configuration that names it: apt fails where it is missing.
    """
    if not state.installed:
        return AptPlan(note="the files for apt are not found: install pacserve anew, with its folder share/pacserve/apt")
    changes = []
    for path, executable in ((APT_SCRIPT, True), (APT_CONFIGURATION, False)):
        there, text = state.files.get(path), state.installed[path]
        if there is None or there.text != text or (executable and not there.executable):
            changes.append(Change(path, None if there is None else there.text, text, executable=executable))
    options, note = _options(state)
    changes += options
    created = (change.path for change in changes if change.before is None)
    fields = {"apt": record.apt or bool(options), "created": tuple(dict.fromkeys((*record.created, *created)))}
    return AptPlan(tuple(changes), fields, bool(options), note)


def plan_undo(state: AptState, record: Record) -> AptPlan:
    """Returns the changes that take back those of `plan`, in an order in which apt works after each of them."""
    changes = list(_without_option(state, record)) if record.apt else []
    restart = bool(changes)
    created = [path for path in (APT_CONFIGURATION, APT_SCRIPT) if path in record.created and path in state.files]
    if APT_CONFIGURATION in state.files and APT_CONFIGURATION not in created:
        created = []  # it belongs to the user or to a package, and needs the script
    changes += [Change(path, state.files[path].text, None) for path in created]
    return AptPlan(tuple(changes), {"apt": False, "created": ()}, restart)


def stated_options(state: AptState) -> Sequence[str]:
    """Returns the options of the service, as far as they are understood."""
    there = state.files.get(_counting_file(state))
    return (_words("" if there is None else there.text) or "").split()


def _options(state: AptState) -> tuple[Sequence[Change], str]:
    """Returns the change that adds the option, and what the user has to do where that is not understood."""
    path = _counting_file(state)
    there = state.files.get(path)
    text = "" if there is None else there.text
    words = _words(text)
    if words is None:
        return (
            (),
            f"add {_OPTION} to PACSERVE_ARGS in {path} yourself, and restart pacserve: that line is written in a way that setup does not change",
        )
    if _OPTION in words.split():
        return (), ""
    return (Change(path, None if there is None else text, _with_words(text, f"{words} {_OPTION}".strip())),), ""


def _without_option(state: AptState, record: Record) -> Sequence[Change]:
    path = _counting_file(state)
    there = state.files.get(path)
    words = None if there is None else _words(there.text)
    if there is None or words is None or _OPTION not in words.split():
        return ()
    text = _with_words(there.text, " ".join(word for word in words.split() if word != _OPTION))
    whole = path in record.created and text == _with_words("", _DEFAULT_WORDS)
    return (Change(path, there.text, None if whole else text),)


def _counting_file(state: AptState) -> str:
    """Returns the file whose line counts, or would count."""
    there = [path for path in OPTION_FILES if path in state.files]
    saying = [path for path in there if any(map(_NAME.match, state.files[path].text.split("\n")))]
    return (saying or there or OPTION_FILES[:1])[-1]


def _words(text: str) -> str | None:
    """Returns the options that a file states, or the unit's own where it states none; None where its line is not understood."""
    last = next((line for line in reversed(text.split("\n")) if _NAME.match(line)), None)
    if last is None:
        return _DEFAULT_WORDS
    found = _ASSIGNMENT.fullmatch(last)
    return None if found is None else found["words"].strip()


def _with_words(text: str, words: str) -> str:
    """Returns the text of a file of options with other words in the line that counts; the line is added where there is none."""
    lines = text.split("\n")
    for number in range(len(lines) - 1, -1, -1):
        found = _ASSIGNMENT.fullmatch(lines[number])
        if found is not None:
            lines[number] = f"{found['name']}{found['quote']}{words}{found['quote']}{found['rest']}"
            return "\n".join(lines)
    return f'{text}{"" if not text or text.endswith(chr(10)) else chr(10)}PACSERVE_ARGS="{words}"\n'
