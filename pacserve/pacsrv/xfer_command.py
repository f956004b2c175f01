"""XferCommand: the program that downloads in pacman's place, and must do what pacserve expects of pacman.  Rules only."""

from __future__ import annotations

import enum
import re
import shlex
from collections.abc import Iterator, Sequence

# curl(1): the short options that take a value, which is the rest of the word or the next one.
_CURL_VALUES = frozenset("AbcCdDeEFHKmoPQrtTuUwxXyYz")
# wget(1).
_NO_REDIRECTS = re.compile(r"--max-redirect[= ]0(?= |\Z)")


class Follows(enum.Enum):
    """The answers to whether a program follows redirects."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def follows(command: str) -> Follows:
    """Returns whether an XferCommand follows redirects, as far as its words tell."""
    program, words = _split(command)
    if program == "curl":
        options = set(_curl_options(words))
        if options & {"-L", "--location", "--location-trusted"}:
            return Follows.YES
        return Follows.UNKNOWN if options & {"-K", "--config"} else Follows.NO
    if program == "wget":
        return Follows.NO if _NO_REDIRECTS.search(command) else Follows.YES
    return Follows.YES if program == "aria2c" else Follows.UNKNOWN


def keeps_errors(command: str) -> bool:
    """Returns whether an XferCommand keeps the text of an error as if it were the file: curl does, unless it is told to fail."""
    program, words = _split(command)
    return program == "curl" and not set(_curl_options(words)) & {"-f", "--fail", "--fail-with-body", "-K", "--config"}


def mended(command: str) -> str:
    """Returns the line for pacman.conf with the same curl or wget, told to follow redirects and to fail on errors."""
    program, _, rest = command.partition(" ")
    if _split(command)[0] == "wget":
        return f"XferCommand = {program} {_NO_REDIRECTS.sub('', rest).strip()}"
    options = "" if follows(command) is Follows.YES else " -L"
    options += " -f" if keeps_errors(command) else ""
    return f"XferCommand = {program}{options} {rest}"


def _split(command: str) -> tuple[str, Sequence[str]]:
    """Returns the name of the program without its folder, and its arguments."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    return (words[0].rpartition("/")[2], words[1:]) if words else ("", ())


def _curl_options(words: Sequence[str]) -> Iterator[str]:
    """Yields the options of curl: the long ones without their value, the short ones one by one."""
    waiting = iter(words)
    for word in waiting:
        if word.startswith("--"):
            yield word.partition("=")[0]
        elif word.startswith("-"):
            for place, letter in enumerate(word[1:], 2):
                yield f"-{letter}"
                if letter in _CURL_VALUES:
                    if not word[place:]:
                        next(waiting, None)
                    break
