"""
Asks apt from where it would fetch a package: the lists state packages by their paths, and people name them otherwise.

apt prints a line for each package: `'URL' FILE SIZE SHA256:HEX` (apt-get(8), `--print-uris`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pacserve.errors import FetchError
from pacserve.packages.children import Run
from pacserve.packages.labels import PackageLabel, parse_package_path

# Written nowhere: apt would keep what it has read of its lists, in a folder of root.
_COMMAND = ("apt-get", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "download", "--print-uris", "--")
_LINE = re.compile(r"'([^'\s]{1,2000})' (\S{1,300}) [0-9]{1,19}(?: SHA256:([0-9a-f]{64}))?(?: .*)?\Z")
# Debian Policy, 5.6.7, 5.6.8 and 5.6.12.  No character of a pattern, for which apt would print every package that it fits.
_PACKAGE = re.compile(r"(?P<package>[a-z0-9][a-z0-9+.-]{1,127})(?::[a-z0-9][a-z0-9-]{0,31})?(?:=[0-9A-Za-z.+:~-]{1,128})?\Z")


@dataclass(frozen=True, slots=True)
class Located:
    """
    A package as apt would fetch it.

    Attributes:
        url: As apt prints it, which need not be that of a mirror: sources may name a list of mirrors.
        sha256: 32 bytes; None where apt's lists state no such digest.
    """

    url: str
    sha256: bytes | None


def question_of(text: str) -> tuple[str, str] | None:
    """
    Returns the package that a text means, and how apt is asked for it.

    Args:
        text: `PACKAGE[:ARCHITECTURE][=VERSION]`, as apt takes it.

    Returns:
        None where it means no package.
    """
    match = _PACKAGE.match(text)
    return None if match is None else (match["package"], text)


def question_of_label(label: PackageLabel) -> tuple[str, str] | None:
    """Returns the same of a package whose version is known without its epoch, for which apt takes an asterisk."""
    found = question_of(f"{label.package}:{label.architecture}={label.version}")
    return None if found is None else (label.package, f"{label.package}:{label.architecture}=*{label.version}")


def parse_located(output: bytes, package: str) -> Located | None:
    """Returns what apt has printed of a package; None where it has printed nothing that can be right."""
    return next((located for file, located in _lines(output) if _is_of(file, package)), None)


async def locate(run: Run, question: tuple[str, str]) -> Located | None:
    """
    Returns from where apt would fetch a package; None where it knows none, or can't be asked.

    Args:
        question: It comes from `question_of` or `question_of_label`.
    """
    package, asked = question
    try:
        outcome = await run((*_COMMAND, asked))
    except FetchError:
        return None
    return parse_located(outcome.output, package) if outcome.status == 0 else None


def _lines(output: bytes) -> Iterator[tuple[str, Located]]:
    for line in output.decode("utf-8", "replace").split("\n"):
        match = _LINE.match(line)
        if match is not None and match[1].isprintable():
            yield match[2], Located(match[1], None if match[3] is None else bytes.fromhex(match[3]))


def _is_of(file: str, package: str) -> bool:
    """Returns whether a file, by the name that apt gives it, is of a package."""
    label = parse_package_path(file)
    return label is not None and label.package == package
