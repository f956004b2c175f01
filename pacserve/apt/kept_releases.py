"""The releases that this host has handed out, kept over restarts: a client that has one of them asks for its indexes later."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from pacserve.apt.releases import SIZE_LIMIT, Release, parse_release
from pacserve.apt.targets import Target, target_of
from pacserve.complaints import Complaints
from pacserve.errors import reason_of

# Suites of all sources together, releases of each, and bytes of all of them.
SUITES_LIMIT = 128
RELEASES_PER_SUITE = 3
BYTES_LIMIT = 48 << 20
# Indexes of a suite that are remembered as fetched by their plain names.
NAMES_LIMIT = 64
_SUFFIX = ".release"
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class KeptRelease:
    """
    A release as a mirror gave it.

    Attributes:
        url: Of the release: it ends with InRelease or Release.
        release: What it states.
        signature: The detached signature that a Release came with; empty for an InRelease, and where there is none.
        modified: Its Last-Modified in seconds since the epoch; None where the mirror stated none that can be.
        etag: Its entity tag; empty where the mirror stated none.
    """

    url: str
    release: Release
    signature: bytes
    modified: int | None
    etag: str

    @property
    def dated(self) -> int | None:
        """When it was changed last, as apt is told: where the mirror does not say so the day on which it was made."""
        return self.release.date if self.modified is None else self.modified

    @property
    def size(self) -> int:
        """The bytes that it takes."""
        return len(self.release.data) + len(self.signature)


class KeptReleases:
    """
    Keeps for each suite the release that was fetched last, and a few before it.

    They stay in memory, and on the disk for the next daemon.  Where the disk can't be written they last as long as this one.

    Args:
        folder: It is made where it is missing.
    """

    _log = Logger()

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._kept: dict[str, list[KeptRelease]] = {}
        self._folders: dict[str, Target] = {}
        self._names: dict[str, dict[str, None]] = {}
        self._complaints = Complaints(self._log)

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))

    def suites(self) -> Mapping[str, Target]:
        """Returns the folders of the suites of which a release is kept, by the URLs of the releases."""
        return self._folders

    def of(self, url: str) -> Sequence[KeptRelease]:
        """Returns the releases of a suite, the newest first."""
        return self._kept.get(url, ())

    def names(self, url: str) -> Sequence[str]:
        """Returns the indexes of a suite that were asked for by their plain names, the latest last."""
        return list(self._names.get(url, ()))

    def asked_for(self, url: str, path: str) -> None:
        """Takes note that an index was asked for by its plain name."""
        names = self._names.setdefault(url, {})
        names.pop(path, None)
        names[path] = None
        if len(names) > NAMES_LIMIT:
            del names[next(iter(names))]

    def keep(self, kept: KeptRelease) -> None:
        """Keeps a release as the newest of its suite, in the place of one with the same text."""
        before = [one for one in self._kept.pop(kept.url, []) if one.release.data != kept.release.data]
        self._take(kept.url, [kept, *before][:RELEASES_PER_SUITE])
        self._write(kept.url)
        while len(self._kept) > SUITES_LIMIT or (len(self._kept) > 1 and sum(self._sizes()) > BYTES_LIMIT):
            self.forget(next(iter(self._kept)))

    def forget(self, url: str) -> None:
        """Forgets the releases of a suite."""
        if self._kept.pop(url, None) is not None:
            self._names.pop(url, None)
            self._folders.pop(url, None)
            with contextlib.suppress(OSError):
                self._path(url).unlink()

    def load(self) -> None:
        """Takes in what an earlier daemon has kept; what is damaged is removed."""
        try:
            paths = sorted(self._folder.glob(f"*{_SUFFIX}"), key=lambda path: path.lstat().st_mtime)
        except OSError:
            return
        for path in paths[-SUITES_LIMIT:]:
            try:
                found, names = _read(path)
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                found, names = [], []
            if not found or self._path(found[0].url) != path:
                with contextlib.suppress(OSError):
                    path.unlink()
                continue
            self._take(found[0].url, found)
            self._names.setdefault(found[0].url, dict.fromkeys(names))

    def _take(self, url: str, releases: list[KeptRelease]) -> None:
        target = target_of(url)
        if target is not None and target.path:
            self._kept[url], self._folders[url] = releases, target.folder

    def _sizes(self) -> Sequence[int]:
        return [one.size for releases in self._kept.values() for one in releases]

    def _path(self, url: str) -> Path:
        return self._folder / f"{blake2b(url.encode(), digest_size=16).hexdigest()}{_SUFFIX}"

    def _write(self, url: str) -> None:
        """Writes all releases of a suite: a line of JSON for each, and behind it the bytes."""
        pieces: list[bytes] = []
        for kept in self._kept[url]:
            head = {"url": url, "data": len(kept.release.data), "signature": len(kept.signature), "modified": kept.modified, "etag": kept.etag}
            if not pieces:
                head["names"] = self.names(url)
            pieces.append(json.dumps(head).encode() + b"\n" + kept.release.data + kept.signature)
        path = self._path(url)
        new = path.with_suffix(".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            new.write_bytes(b"".join(pieces))
            new.replace(path)
        except OSError as error:
            self._complaints.about(
                "writing", f"apt's releases can't be kept in {self._folder}: {reason_of(error)}; choose another folder with --state"
            )
        else:
            self._complaints.about("writing", "")


def _read(path: Path) -> tuple[list[KeptRelease], list[str]]:
    """
    Returns the releases of a file, and the names of the indexes that were asked for.

    Raises:
        OSError: It can't be read.
        ValueError: It is damaged.
    """
    with os.fdopen(os.open(path, _FLAGS), "rb") as file:
        data = file.read(RELEASES_PER_SUITE * (SIZE_LIMIT + SIZE_LIMIT))
    found: list[KeptRelease] = []
    names: list[str] = []
    while data and len(found) < RELEASES_PER_SUITE:
        line, _, data = data.partition(b"\n")
        head: dict[str, Any] = json.loads(line)
        size, signature, modified, etag, url = (head[name] for name in ("data", "signature", "modified", "etag", "url"))
        release = parse_release(data[:size])
        if release is None or len(data) < size + signature or not isinstance(modified, int | None) or not isinstance(etag, str):
            raise ValueError("damaged")
        if min(size, signature) < 0 or not isinstance(url, str) or (found and url != found[0].url):
            raise ValueError("damaged")
        if not found:
            names = [name for name in head.get("names", [])[:NAMES_LIMIT] if isinstance(name, str)]
        found.append(KeptRelease(url, release, data[size : size + signature], modified, etag))
        data = data[size + signature :]
    return found, names
