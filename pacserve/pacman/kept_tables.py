"""The folder with the tables of databases, from which they are known again after a restart without reading the databases."""

from __future__ import annotations

from pacserve.packages.kept_files import KeptFiles
from pacserve.pacman.tables import Table


class KeptTables(KeptFiles[Table]):
    """
    Keeps one table for each repository.

    Args:
        folder: It is made where it is missing.
    """

    def __init__(self, folder: str) -> None:
        super().__init__(folder, ".table", Table)
