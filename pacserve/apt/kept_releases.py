"""The releases that this host has handed out, kept over restarts: a client that has one of them asks for its indexes later."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from twisted.logger import Logger

from pacserve.apt.release_rules import KeptRelease
from pacserve.apt.releases import SIZE_LIMIT, parse_release
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
        # The URLs of the releases of a folder, of which apt asks for one.
        self._folders: dict[Target, dict[str, None]] = {}
        self._withdrawn: set[str] = set()
        self._names: dict[str, dict[str, None]] = {}
        self._complaints = Complaints(self._log)

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))

    def newest(self, url: str) -> KeptRelease | None:
        """Returns the release of a suite that was fetched last; None where there is none, or none any more."""
        return None if url in self._withdrawn else next(iter(self._kept.get(url, ())), None)

    def of(self, url: str) -> Sequence[KeptRelease]:
        """Returns the releases of a suite, the newest first; also those that clients may still have of one that is withdrawn."""
        return self._kept.get(url, ())

    def below(self, folder: Target) -> Sequence[KeptRelease]:
        """Returns the releases that lie in a folder, the newest of each URL first."""
        return [kept for url in self._folders.get(folder, ()) for kept in self._kept[url]]

    def names(self, url: str) -> Sequence[str]:
        """Returns the indexes of a suite that were asked for by their plain names, the latest last."""
        return list(self._names.get(url, ()))

    def asked_for(self, url: str, path: str) -> None:
        """Takes note that an index was asked for by its plain name."""
        names = self._names.setdefault(url, {})
        new = path not in names
        names.pop(path, None)
        names[path] = None
        if len(names) > NAMES_LIMIT:
            del names[next(iter(names))]
        elif new:
            self._write(url)

    def keep(self, kept: KeptRelease) -> None:
        """Keeps a release as the newest of its suite, in the place of one with the same text."""
        before = [one for one in self._kept.get(kept.url, ()) if one.release.data != kept.release.data]
        if not self._take(kept.url, [kept, *before][:RELEASES_PER_SUITE]):
            return
        self._write(kept.url)
        while len(self._kept) > SUITES_LIMIT or (len(self._kept) > 1 and sum(self._sizes()) > BYTES_LIMIT):
            self._forget(next(iter(self._kept)))

    def used(self, url: str) -> None:
        """Takes note that the releases of a suite are in use: those of others go before them."""
        if url in self._kept:
            self._kept[url] = self._kept.pop(url)

    def withdraw(self, url: str) -> None:
        """Hands the releases of a suite to nobody any more; who has one of them still gets its indexes."""
        if url in self._kept:
            self._withdrawn.add(url)
            self._remove(url)

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
            if not found or self._path(found[0].url) != path or not self._take(found[0].url, found):
                with contextlib.suppress(OSError):
                    path.unlink()
                continue
            self._names.setdefault(found[0].url, dict.fromkeys(names))

    def _take(self, url: str, releases: list[KeptRelease]) -> bool:
        """Puts the releases of a suite in place of those before, as the suite that was used last; returns whether it has such a URL."""
        target = target_of(url)
        if target is None or not target.path or target.url != url:
            return False
        self._kept.pop(url, None)
        self._kept[url] = releases
        self._folders.setdefault(target.folder, {})[url] = None
        self._withdrawn.discard(url)
        return True

    def _forget(self, url: str) -> None:
        del self._kept[url]
        self._names.pop(url, None)
        self._withdrawn.discard(url)
        target = target_of(url)
        if target is not None:
            urls = self._folders[target.folder]
            del urls[url]
            if not urls:
                del self._folders[target.folder]
        self._remove(url)

    def _remove(self, url: str) -> None:
        with contextlib.suppress(OSError):
            self._path(url).unlink()

    def _sizes(self) -> Sequence[int]:
        return [one.size for releases in self._kept.values() for one in releases]

    def _path(self, url: str) -> Path:
        return self._folder / f"{blake2b(url.encode(), digest_size=16).hexdigest()}{_SUFFIX}"

    def _write(self, url: str) -> None:
        """Writes all releases of a suite: a line of JSON for each, and behind it the bytes."""
        if url not in self._kept or url in self._withdrawn:
            return
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
