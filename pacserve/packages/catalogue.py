"""The protocol of catalogues, which state how large the files of repositories are, and what is in them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from pacserve.packages.files import ExpectedFile


class Catalogue(Protocol):
    """Knows what the sync databases state of package files.  What is stated may be asked for in any thread."""

    @property
    @abstractmethod
    def revision(self) -> int:
        """Grows whenever the databases may state something else than before."""

    @abstractmethod
    async def refresh(self, repo: str, name: str | None = None) -> None:
        """
        Reads the database of `repo` again if it changed since it was last read.  Returns without waiting when it did not, and after a bounded
        time when reading takes long or fails; never raises.

        Args:
            name: The package file for which that is done: where the former database answers for it as well as the new one, nothing is waited for.
        """

    @abstractmethod
    async def refresh_all(self) -> None:
        """Refreshes the databases of all repositories as `refresh` does, all at once."""

    @abstractmethod
    async def refresh_unknown(self) -> None:
        """
        Refreshes the databases of all repositories, and waits only for those of which nothing is known yet.

        What the former ones stated is known meanwhile, and `revision` grows when that has changed.
        """

    @abstractmethod
    async def read_all(self) -> bool:
        """
        Refreshes the databases of all repositories and waits until each was read, however long that takes; never raises.

        Returns:
            True if all that there are could be read, so that a file that none of them states is in none.
        """

    @abstractmethod
    def size(self, repo: str, name: str) -> int | None:
        """Returns the size in bytes that the database of `repo` states for the package file `name`; None where it does not know it."""

    @abstractmethod
    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        """Returns what the database of `repo` states for the package file `name`; None where it does not know it."""

    @abstractmethod
    def all_expected(self, name: str) -> Sequence[ExpectedFile]:
        """Returns what the databases of all repositories state for the package file `name`; empty where none knows it."""

    @abstractmethod
    def signature(self, repo: str, name: str) -> bytes | None:
        """
        Returns the detached signature that the database of `repo` carries for the package file `name`, 1 to `SIGNATURE_LIMIT` bytes.

        It is what pacman would take for this package.  A signature may be read from the disk when it is asked for, but never over a network.

        Returns:
            None where the database does not know the file, or carries no signature for it.
        """

    @abstractmethod
    def sizes(self, name: str) -> Sequence[int]:
        """Returns the sizes that the databases of all repositories state for the package file `name`; empty where none knows it."""

    @abstractmethod
    def stated(self, name: str) -> Mapping[str, int]:
        """Returns the size in bytes that each repository's database states for the package file `name`, by the names of the repositories."""

    @abstractmethod
    def packages(self, repo: str) -> Collection[str] | None:
        """Returns the names of the packages, without versions, in the database of `repo`; None where it could not be read."""
