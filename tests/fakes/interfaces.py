"""The protocols that the parts of pacserve know each other by, settled by hand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from io import FileIO
from typing import Any

from pacserve.delivery.delivering import FileDelivery
from pacserve.errors import FetchError
from pacserve.fetch.answers import IncomingBody
from pacserve.network.addresses import IPAddress, LocalAddresses, parse_address
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import ExpectedFile, FileRequest, HeldFile
from pacserve.packages.inventory import Delta, Inventory, LocalPackages
from pacserve.pacman.configuration import ConfigurationSource, PacmanConfiguration, Repository
from pacserve.sources.candidates import Candidate, Considered, PackageSource, Rank, Wanted
from pacserve.sources.locations import Holder, Location, Offer
from pacserve.sources.upstreams import Upstream
from pacserve.web.admission import Admission
from pacserve.web.answers import Answer, DocumentAnswer
from pacserve.web.front import Ask


class Addresses(LocalAddresses):
    """A host with these addresses besides loopback."""

    def __init__(self, *own: str) -> None:
        self._own = frozenset(parse_address(text) for text in own)

    def owns(self, address: IPAddress) -> bool:
        return address.is_loopback or address in self._own

    def attached(self, address: IPAddress) -> bool:
        return False


class Everyone(Admission):
    """Admits all."""

    def admits(self, client: IPAddress) -> bool:
        return True


class Configuration(ConfigurationSource):
    """A pacman.conf with some repositories, none of which has a Server."""

    def __init__(self, *repositories: str, architectures: Sequence[str] = ("x86_64",)) -> None:
        self.value = PacmanConfiguration(tuple(architectures), (), "/nowhere", {name: Repository(name, ()) for name in repositories})

    def current(self) -> PacmanConfiguration:
        return self.value


class Databases(Catalogue):
    """
    States these sizes, by repository and name.

    Attributes:
        refreshed: The repositories that were asked to be read again, `*` for all of them.
        needed: The package files for which that was done, where it was done for one.
        digest: The SHA-256 that is stated of every file.
        signatures: The signatures that the databases carry, by repository and name of the package file.
    """

    revision: int = 0

    def __init__(self, sizes: Mapping[tuple[str, str], int] | None = None) -> None:
        self._sizes = dict(sizes or {})
        self.refreshed: list[str] = []
        self.needed: list[str] = []
        self.digest: bytes | None = None
        self.signatures: dict[tuple[str, str], bytes] = {}

    def state(self, repo: str, name: str, size: int) -> None:
        """States a size from now on."""
        self._sizes[repo, name] = size
        self.revision += 1

    async def refresh(self, repo: str, name: str | None = None) -> None:
        self.refreshed.append(repo)
        if name is not None:
            self.needed.append(name)

    async def refresh_all(self) -> None:
        self.refreshed.append("*")

    async def refresh_unknown(self) -> None:
        self.refreshed.append("*")

    async def read_all(self) -> bool:
        self.refreshed.append("*")
        return True

    def size(self, repo: str, name: str) -> int | None:
        return self._sizes.get((repo, name))

    def expected(self, repo: str, name: str) -> ExpectedFile | None:
        size = self.size(repo, name)
        return None if size is None else ExpectedFile(size, self.digest)

    def all_expected(self, name: str) -> Sequence[ExpectedFile]:
        return [ExpectedFile(size, self.digest) for size in self.sizes(name)]

    def signature(self, repo: str, name: str) -> bytes | None:
        return self.signatures.get((repo, name))

    def sizes(self, name: str) -> Sequence[int]:
        return [size for (_, known), size in self._sizes.items() if known == name]

    def stated(self, name: str) -> Mapping[str, int]:
        return {repo: size for (repo, known), size in self._sizes.items() if known == name}

    def packages(self, repo: str) -> Collection[str] | None:
        names = [known.rsplit("-", 3)[0] for known_repo, known in self._sizes if known_repo == repo]
        return names or None


class Packages(LocalPackages):
    """
    Holds files of these sizes.

    Attributes:
        opened: The names that were looked for.
        deltas: What changed, by the generation since which.
        path: What is opened.
    """

    def __init__(self, files: Mapping[str, int] | None = None, generation: int = 1) -> None:
        self.listed = Inventory(generation, dict(files or {}))
        self.opened: list[str] = []
        self.deltas: dict[int, Delta] = {}
        self.path = "/dev/null"

    def open(self, name: str, size: int | None) -> HeldFile | None:
        self.opened.append(name)
        held = self.listed.files.get(name)
        if held is None or size not in (None, held):
            return None
        return HeldFile(name, FileIO(self.path), held, 0, '"tag"')

    async def inventory(self) -> Inventory:
        return self.listed

    def changes(self, since: int) -> Delta | None:
        return self.deltas.get(since)


class Delivery(FileDelivery):
    """
    Answers every question with a document.

    Attributes:
        asked: Each question: the request, the client, `local_only`, `head_only`.
        offsets: The first byte that each wanted.
        forced: Whether each was without a condition.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[FileRequest, IPAddress, bool, bool]] = []
        self.offsets: list[int] = []
        self.forced: list[bool] = []

    async def deliver(
        self, request: FileRequest, client: IPAddress, *, local_only: bool = False, head_only: bool = False, offset: int = 0, forced: bool = False
    ) -> Answer:
        self.forced.append(forced)
        self.offsets.append(offset)
        self.asked.append((request, client, local_only, head_only))
        return DocumentAnswer(b"delivered")


class NoUpstream(Upstream):
    """A host that nothing is downloaded from."""

    @property
    def label(self) -> str:
        return "nobody"

    async def open(self, name: str, headers: Mapping[str, str], timeout: float) -> IncomingBody:
        raise FetchError("refused")

    def succeeded(self) -> None:
        return

    def failed(self) -> None:
        return

    def lied(self) -> None:
        return


_HOLDERS = {Rank.CACHE: Holder.CACHE, Rank.DOWNLOAD: Holder.UNASKED, Rank.MIRRORS: Holder.MIRROR}


class Choice:
    """
    A candidate that does what it is told.

    Args:
        outcome: Where it is, what it raises, or what is run to know.
        offer: What it offers before it is settled; by its rank where that is not given.

    Attributes:
        settled: The deadlines that it was given, one for each time that it was asked.
    """

    def __init__(self, rank: Rank, outcome: Location | Exception | Callable[[], Coroutine[Any, Any, Location]], offer: Offer | None = None) -> None:
        self._outcome = outcome
        self.settled: list[float] = []
        self.candidate = Candidate(rank, Offer(_HOLDERS.get(rank, Holder.PEER)) if offer is None else offer, self._settle)

    async def _settle(self, deadline: float) -> Location:
        self.settled.append(deadline)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return await self._outcome() if callable(self._outcome) else self._outcome


class Source(PackageSource):
    """
    Gives these candidates.

    Attributes:
        wanted: What it was asked for.
    """

    def __init__(self, *choices: Choice) -> None:
        self._candidates = [choice.candidate for choice in choices]
        self.wanted: list[Wanted] = []

    @property
    def best(self) -> Rank:
        return min((candidate.rank for candidate in self._candidates), default=Rank.CACHE)

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        self.wanted.append(wanted)
        return list(self._candidates)

    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        return [Considered(candidate.offer.holder.value, candidate.rank, "", candidate.offer) for candidate in self._candidates]


def ask(*parts: str, headers: Iterable[tuple[str, str]] = (), client: str = "127.0.0.1", method: str = "GET", query: str = "") -> Ask:
    """A request as a front sees it."""
    values = {name.lower(): value for name, value in headers}
    return Ask(method, parts, parse_address(client), lambda name: values.get(name.lower()), query)
