"""Several package systems as one: a name says which of them knows the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import ExpectedFile, FileRequest
from pacserve.packages.names import is_content
from pacserve.sources.upstreams import Upstream, Upstreams


class Catalogues(Catalogue):
    """
    Asks one catalogue for the files that are shared by content, and another for all others.

    Args:
        databases: Also knows the repositories.
        content: Never changes its mind: it has nothing to read again.
    """

    def __init__(self, databases: Catalogue, content: Catalogue) -> None:
        self._databases = databases
        self._content = content

    @property
    def revision(self) -> int:
        return self._databases.revision

    async def refresh(self, repo: str, name: str | None = None) -> None:
        if name is None or not is_content(name):
            await self._databases.refresh(repo, name)

    async def refresh_all(self) -> None:
        await self._databases.refresh_all()

    async def refresh_unknown(self) -> None:
        await self._databases.refresh_unknown()

    async def read_all(self) -> bool:
        return await self._databases.read_all()

    def size(self, repo: str, name: str) -> int | None:
        return self._of(name).size(repo, name)

    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        return self._of(name).expected(repo, name)

    def all_expected(self, name: str) -> Sequence[ExpectedFile]:
        return self._of(name).all_expected(name)

    def signature(self, repo: str, name: str) -> bytes | None:
        return self._of(name).signature(repo, name)

    def sizes(self, name: str) -> Sequence[int]:
        return self._of(name).sizes(name)

    def stated(self, name: str) -> Mapping[str, int]:
        return self._of(name).stated(name)

    def packages(self, repo: str) -> Collection[str] | None:
        return self._databases.packages(repo)

    def _of(self, name: str) -> Catalogue:
        return self._content if is_content(name) else self._databases


class ChosenUpstreams(Upstreams):
    """
    Gives the mirror that a request names, and where it names none those of its repository.

    Args:
        repositories: Gives the mirror that a request names.
        mirrors: Gives those that a configuration names.
    """

    def __init__(self, repositories: Upstreams, mirrors: Upstreams) -> None:
        self._repositories = repositories
        self._mirrors = mirrors

    def upstreams(self, request: FileRequest) -> Sequence[Upstream]:
        return (self._repositories if request.where else self._mirrors).upstreams(request)
