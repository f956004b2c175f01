"""What keeps a checkout from being released.  Rules without input or output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

_VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")
_HEADING = re.compile(r"^## \[([^\]]+)\](?: - (\S+))?$", re.MULTILINE)
_UNRELEASED = "Unreleased"


@dataclass(frozen=True, slots=True)
class Checkout:
    """
    A checkout that is to be released.

    Attributes:
        version: That of the package.
        changelog: The text of CHANGELOG.md.
        tags: Those that git has here.
        changes: What `git status --short` says.
        today: The day of the release.
    """

    version: str
    changelog: str
    tags: frozenset[str]
    changes: tuple[str, ...]
    today: date

    @property
    def tag(self) -> str:
        return f"v{self.version}"


def objections(checkout: Checkout) -> list[str]:
    """Returns all that has to be done before the release, each with its cure; nothing where it can be made."""
    found = []
    if not _VERSION.fullmatch(checkout.version):
        found.append(f"{checkout.version} is no version such as 1.2.3: change it in pacserve/__init__.py")
    if checkout.tag in checkout.tags:
        found.append(f"the tag {checkout.tag} is there already: raise the version in pacserve/__init__.py, and run 'make man'")
    if checkout.changes:
        found.append(f"the checkout has changes that are not committed: {', '.join(change[3:] for change in checkout.changes[:5])}")
    return found + _changelog(checkout)


def _changelog(checkout: Checkout) -> list[str]:
    parts = _HEADING.split(checkout.changelog)
    sections = {version: (day, text.strip()) for version, day, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)}
    order = [version for version in parts[1::3] if version != _UNRELEASED]
    heading = f"## [{checkout.version}] - {checkout.today.isoformat()}"
    found = []
    if checkout.version not in sections:
        return [f"CHANGELOG.md has nothing of this version: put what is new below the line '{heading}'"]
    if order[0] != checkout.version:
        found.append(f"CHANGELOG.md has {order[0]} before {checkout.version}")
    day, text = sections[checkout.version]
    if not text:
        found.append(f"CHANGELOG.md says nothing of {checkout.version}")
    if not _is_day(day, checkout.today):
        found.append(f"CHANGELOG.md does not say when {checkout.version} is released: {heading}")
    if sections.get(_UNRELEASED, ("", ""))[1]:
        found.append(f"CHANGELOG.md has lines that are not released: move them below '{heading}'")
    return found


def _is_day(text: str | None, today: date) -> bool:
    """Returns True for a day that is not to come."""
    try:
        return text is not None and date.fromisoformat(text) <= today
    except ValueError:
        return False
