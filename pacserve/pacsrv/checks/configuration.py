"""Checks of what pacman.conf says besides Server lines: the command that downloads, and signatures."""

from __future__ import annotations

from collections.abc import Iterable

from pacserve.pacsrv.facts import Facts
from pacserve.pacsrv.finding import Finding, doubtful, some, well, wrong
from pacserve.pacsrv.xfer_command import Follows, follows, keeps_errors, mended

_SIGNATURE_CURE = "set SigLevel = Required DatabaseOptional in pacman.conf; import the keys with pacman-key"


def check_xfer_command(facts: Facts) -> Iterable[Finding]:
    """Checks that a command that downloads in pacman's place follows redirects, and does not keep the text of an error as a file."""
    command = facts.xfer_command
    if not command:
        return
    followed = follows(command)
    if followed is Follows.NO:
        yield wrong(
            f"{command} does not follow redirects: databases and packages stay empty",
            f'write "{mended(command)}", or no XferCommand at all; then run pacman -Syy',
        )
    elif keeps_errors(command):
        yield wrong(
            f"{command} keeps the text of an error as if it were the file",
            f'write "{mended(command)}", or no XferCommand at all; then run pacman -Syy',
        )
    elif followed is Follows.UNKNOWN:
        yield doubtful(
            f"it is not known whether {command} follows redirects (307), as it must",
            'see its manual, or write "XferCommand = /usr/bin/curl -L -C - -f -o %o %u"; without an XferCommand pacman follows them itself',
        )
    else:
        yield well(f"{command} follows redirects")


def check_signatures(facts: Facts) -> Iterable[Finding]:
    """Checks that pacman checks the signatures of packages against trusted keys."""
    unchecked = [name for name, level in facts.signature_levels.items() if "PackageNever" in level]
    any_key = [name for name, level in facts.signature_levels.items() if "PackageTrustAll" in level and name not in unchecked]
    if unchecked:
        yield doubtful(f"signatures are not checked in {some(unchecked)}: only the database says what a package is", _SIGNATURE_CURE)
    if any_key:
        yield doubtful(f"a signature by any key is accepted in {some(any_key)} (TrustAll)", _SIGNATURE_CURE)
    if facts.signature_levels and not unchecked and not any_key:
        yield well("packages must be signed by a trusted key, or may be unsigned where signatures are optional")
