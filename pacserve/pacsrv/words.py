"""pacman's command line, read as getopt_long(3) reads it, for the configuration that it names.  Rules only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

DEFAULT_CONFIGURATION = "/etc/pacman.conf"

# pacman(8): the options that take a value, which may begin with a dash.
_SHORT_WITH_VALUE = frozenset("br")
_LONG_WITH_VALUE = frozenset(
    {
        "arch",
        "ask",
        "assume-installed",
        "cachedir",
        "color",
        "config",
        "dbpath",
        "gpgdir",
        "hookdir",
        "ignore",
        "ignoregroup",
        "logfile",
        "overwrite",
        "print-format",
        "root",
    }
)
# The shortest prefix that getopt_long(3) takes for --sysroot and for no other option: --sys may be --sysupgrade.  --config has no such prefix, since
# there is --confirm.
_SYSROOT_PREFIX = "sysr"
# Operations that never download anything.
_LOCAL_SHORT = frozenset("DQRTV")
_LOCAL_LONG = frozenset({"database", "deptest", "query", "remove", "version"})


# All operations: without one, pacman does nothing.
_OPERATIONS_SHORT = frozenset("DFQRSTUVh")
_OPERATIONS_LONG = ("database", "deptest", "files", "help", "query", "remove", "sync", "upgrade", "version")


@dataclass(frozen=True, slots=True)
class PacmanWords:
    """
    A command line of pacman.

    Attributes:
        configuration: The file that `--config` names, the last one where there are several; else pacman's default.
        sysroot: The folder that `--sysroot` names; empty where it is not given.
        local: True if the operation downloads nothing.
        others: All words but `--config` and its value.
    """

    configuration: str
    sysroot: str
    local: bool
    others: tuple[str, ...]

    def with_configuration(self, path: str) -> tuple[str, ...]:
        """Returns the command line with another configuration file; everything else stays as it is."""
        return (f"--config={path}", *self.others)


def read_words(words: Sequence[str]) -> PacmanWords:
    """Reads a command line; mistakes are left for pacman to report."""
    configuration, sysroot, local = DEFAULT_CONFIGURATION, "", False
    others: list[str] = []
    options, targets = _split(words)
    for word, value in options:
        name = word.removeprefix("--").partition("=")[0] if word.startswith("--") else ""
        if name == "config" and value is not None:
            configuration = value
            continue
        if _is_sysroot(name) and value is not None:
            sysroot = value
        local = local or name in _LOCAL_LONG or not _LOCAL_SHORT.isdisjoint(_letters(word))
        others.append(word)
        if value is not None and _takes_next(word):
            others.append(value)
    return PacmanWords(configuration, sysroot, local, (*others, *targets))


def has_operation(words: Sequence[str]) -> bool:
    """Returns whether a command line names an operation, long ones shortened as getopt_long(3) lets them be."""
    for word, _ in _split(words)[0]:
        name = word.removeprefix("--").partition("=")[0] if word.startswith("--") else ""
        if not _OPERATIONS_SHORT.isdisjoint(_letters(word)) or (name and any(known.startswith(name) for known in _OPERATIONS_LONG)):
            return True
    return False


def _split(words: Sequence[str]) -> tuple[list[tuple[str, str | None]], Sequence[str]]:
    """Returns the words in front of `--`, each with the value that belongs to it (None where there is none); then `--` and what follows it."""
    found: list[tuple[str, str | None]] = []
    place = 0
    while place < len(words) and words[place] != "--":
        word = words[place]
        place += 1
        if _takes_next(word) and place < len(words):
            found.append((word, words[place]))
            place += 1
        else:
            found.append((word, word.partition("=")[2] if word.startswith("--") and "=" in word else None))
    return found, words[place:]


def _takes_next(word: str) -> bool:
    """Returns whether the word is an option whose value is the next word."""
    if word.startswith("--"):
        name = word[2:]
        return "=" not in name and (name in _LONG_WITH_VALUE or _is_sysroot(name))
    letters = _letters(word)
    return bool(letters) and letters[-1] in _SHORT_WITH_VALUE


def _is_sysroot(name: str) -> bool:
    return name.startswith(_SYSROOT_PREFIX) and "sysroot".startswith(name)


def _letters(word: str) -> str:
    """Returns the short options of a word, up to the first that takes the rest of the word for its value."""
    if not word.startswith("-") or word.startswith("--"):
        return ""
    for place, letter in enumerate(word[1:], 1):
        if letter in _SHORT_WITH_VALUE:
            return word[1 : place + 1] if place == len(word) - 1 else word[1:place]
    return word[1:]
