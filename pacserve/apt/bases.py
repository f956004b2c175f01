"""The repositories below which files may be asked for.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from pacserve.apt.targets import Target


@dataclass(frozen=True, slots=True)
class Bases:
    """The bases of repositories: the URLs of apt's sources, without suite and component (sources.list(5))."""

    bases: tuple[Target, ...] = ()

    def of(self, target: Target) -> Target | None:
        """Returns the base that a file lies below, the longest of several; None where it lies below none."""
        found = [base for base in self.bases if target.below(base) is not None]
        return max(found, key=lambda base: len(base.path), default=None)

    def hosts(self) -> frozenset[str]:
        """Returns the hosts of http, with the port where it is not 80: apt asks a proxy for these."""
        return frozenset(base.origin.removeprefix("http://") for base in self.bases if base.origin.startswith("http://"))
