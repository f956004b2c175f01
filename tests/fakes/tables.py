"""Tables of databases, as a child process writes them."""

from __future__ import annotations

from io import BytesIO

from pacserve.packages.children import ChildOutcome
from pacserve.packages.kept_files import Stamp
from pacserve.pacman import tables
from pacserve.pacman.tables import StatedPackage


def table(stamp: Stamp, *packages: StatedPackage) -> ChildOutcome:
    """A child that read these packages from a database, and ended well."""
    file = BytesIO()
    tables.write(file, stamp, packages)
    return ChildOutcome(0, file.getvalue(), "")
