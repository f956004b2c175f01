"""The files of a configuration in memory."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence

from pacserve.pacsrv.configuration import ConfigurationFiles


class FakeFiles(ConfigurationFiles):
    """
    Files by their paths.

    Attributes:
        reads: How often one was read.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self.reads = 0

    def read(self, path: str) -> str:
        self.reads += 1
        try:
            return self._texts[path]
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory") from None

    def expand(self, pattern: str) -> Sequence[str]:
        return sorted(path for path in self._texts if fnmatch.fnmatchcase(path, pattern)) or [pattern]
