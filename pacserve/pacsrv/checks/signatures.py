"""Whether pacman checks who made a package."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well

_CURE = "SigLevel = Required DatabaseOptional in pacman.conf; import the keys with pacman-key"


def check(facts: Facts) -> Iterable[Finding]:
    """Signatures of packages are checked, against keys that are trusted."""
    unchecked = [name for name, level in facts.signature_levels.items() if "PackageNever" in level]
    anybody = [name for name, level in facts.signature_levels.items() if "PackageTrustAll" in level and name not in unchecked]
    if unchecked:
        yield doubtful(f"no signature is checked in {some(unchecked)}: only the database says what a package is", _CURE)
    if anybody:
        yield doubtful(f"the signature of anybody will do in {some(anybody)} (TrustAll)", _CURE)
    if facts.signature_levels and not unchecked and not anybody:
        yield well("packages must be signed by keys that are trusted, or need no signature where it is optional")
