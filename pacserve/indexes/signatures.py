"""Signatures of packages as the databases carry them: they belong to the very packages that the databases state, and nobody has to be asked."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from io import FileIO

from pacserve.errors import AbsentError
from pacserve.packages.catalogue import Catalogue
from pacserve.packages.files import FileKind, FileRequest, HeldFile
from pacserve.packages.names import signed_file
from pacserve.sources.candidates import Candidate, Considered, PackageSource, Rank, Wanted
from pacserve.sources.locations import Holder, LocalFile, Location, Offer

_OFFER = Offer(Holder.CATALOGUE)


class SignatureSource(PackageSource):
    """
    Offers the signatures that databases carry.

    Args:
        wall: Gives the seconds since the epoch.
    """

    def __init__(self, catalogue: Catalogue, wall: Callable[[], float]) -> None:
        self._catalogue = catalogue
        self._wall = wall

    @property
    def best(self) -> Rank:
        return Rank.CATALOGUE

    def candidates(self, wanted: Wanted) -> Sequence[Candidate]:
        if wanted.request.kind is not FileKind.SIGNATURE or self._signature(wanted.request) is None:
            return ()
        return (Candidate(Rank.CATALOGUE, _OFFER, partial(self._settle, wanted.request)),)

    def consider(self, wanted: Wanted) -> Sequence[Considered]:
        if wanted.request.kind is not FileKind.SIGNATURE:
            return ()
        if self._signature(wanted.request) is None:
            return (Considered("database", Rank.CATALOGUE, "it carries no signature of the package", None),)
        return (Considered("database", Rank.CATALOGUE, "it carries the signature", _OFFER),)

    def _signature(self, request: FileRequest) -> bytes | None:
        return self._catalogue.signature(request.repo, signed_file(request.name))

    async def _settle(self, request: FileRequest, deadline: float) -> Location:
        signature = self._signature(request)
        if signature is None:
            raise AbsentError("database: it carries no signature of the package any more")
        file = FileIO(os.memfd_create("pacserve", os.MFD_CLOEXEC), "r+b")
        file.write(signature)
        tag = f'"{hashlib.sha256(signature).hexdigest()}"'
        return LocalFile(HeldFile(request.name, file, len(signature), int(self._wall()), tag), "database", Holder.CATALOGUE)
