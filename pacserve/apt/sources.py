"""
The sources of this host's own apt: which repositories they name, and which of apt's lists belong to them.  Pure.

apt itself is asked, since it alone knows what its configuration comes to: `apt-get indextargets` prints the file of each list with its repository
(apt-get(8)).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from pacserve.apt.bases import Bases
from pacserve.apt.passwords import needs_password
from pacserve.apt.targets import Target, asked_target, target_of

FORMAT = "$(CREATED_BY)\t$(REPO_URI)\t$(FILENAME)"
"""What is asked for of each target, by `--format`."""
LIST_KINDS = frozenset({"Packages", "Sources"})
"""The kinds of targets whose lists state files of the repository."""

# Targets of one host, of which each component of a suite has some ten for each architecture; and mirrors in one list.
_TARGETS_LIMIT = 20_000
_MIRRORS_LIMIT = 1_000
_MIRROR_FILE = "mirror+file:"
_MIRROR_LIST = re.compile(r"mirror(?:\+(https?))?:(//.+)")
_USERINFO = re.compile(r"(https?://)[^/@]*@")
# What may stand in a URL as it is.  apt prints the URLs of repositories decoded.
_RAW = ":/[]!$&'()*+,;=@"
# The characters that apt encodes in the names of files, besides those that can't be printed (URItoFileName of apt-pkg/contrib/strutl.cc).
_ENCODED_IN_NAMES = re.compile(r'[\\|{}\[\]<>"^~_=!@#$%&*\x00-\x20\x7f-\U0010ffff]')


@dataclass(frozen=True, slots=True)
class IndexTarget:
    """
    An index that apt fetches, or would fetch if its repository had it.

    Attributes:
        kind: What it is, such as `Packages`.
        repository: The URL of the repository, percent-decoded.
        file: The path of apt's copy, without the suffix of a compressed one.
    """

    kind: str
    repository: str
    file: str


@dataclass(frozen=True, slots=True)
class Sources:
    """
    The sources of a host.

    Attributes:
        bases: Below which files may be asked for.
        lists: The paths of the lists that state files, without the suffix of a compressed one, each with the bases below which these lie.
        secret: Those of them whose files are for those alone who have a password.
    """

    bases: Bases = field(default_factory=Bases)
    lists: Mapping[str, tuple[Target, ...]] = field(default_factory=dict)
    secret: frozenset[str] = frozenset()


def parse_places(output: bytes) -> dict[str, str]:
    """
    Returns the places that `apt-config shell` printed, by the names that were given to them (apt-config(8)).  What is no path is left out.

    Raises:
        ValueError: It is not what apt-config prints.
    """
    words = (word.partition("=") for word in shlex.split(output.decode("utf-8", "replace")))
    return {name: value for name, _, value in words if value.startswith("/") and value.isprintable()}


def parse_targets(output: bytes) -> list[IndexTarget]:
    """Returns the targets that `apt-get indextargets` printed in `FORMAT`.  Lines that are none are left out."""
    found: list[IndexTarget] = []
    for line in output.decode("utf-8", "replace").split("\n"):
        fields = line.split("\t")
        if len(fields) != 3 or len(found) >= _TARGETS_LIMIT or not all(map(str.isprintable, fields)):
            continue
        kind, repository, file = fields
        if kind and repository and file.startswith("/"):
            found.append(IndexTarget(kind, repository, file))
    return found


def mirror_file(repository: str, auxiliary: str) -> str | None:
    """
    Returns the path of the file that lists the mirrors of a repository (apt-transport-mirror(1)); None for one that has a URL of its own.

    Args:
        auxiliary: The folder in which apt keeps the lists that it has fetched.
    """
    if repository.startswith(_MIRROR_FILE):
        return f"/{repository.removeprefix(_MIRROR_FILE).strip('/')}"
    match = _MIRROR_LIST.fullmatch(repository)
    return None if match is None else f"{auxiliary.rstrip('/')}/{_file_name(match[2].strip('/'))}"


def mirror_list_base(repository: str, is_here: Callable[[str], bool]) -> Target | None:
    """Returns the folder of the list of mirrors that apt fetches for a repository; None where it fetches none."""
    match = _MIRROR_LIST.fullmatch(repository)
    file = None if match is None else base_of(f"{match[1] or 'http'}:{match[2]}", is_here)
    return None if file is None else Target(file.origin, file.path[:-1])


def parse_mirrors(text: bytes) -> list[str]:
    """Returns the URLs in a list of mirrors, which stand before what else is said of each (apt-transport-mirror(1))."""
    lines = (line.partition("\t")[0].strip() for line in text.decode("utf-8", "replace").split("\n"))
    return [line for line in lines if line and not line.startswith("#")][:_MIRRORS_LIMIT]


def base_of(url: str, is_here: Callable[[str], bool]) -> Target | None:
    """
    Returns the base that a source names, by the URL of the mirror itself where the source leads to this daemon.

    Args:
        url: It may be percent-decoded.
        is_here: Returns whether an authority names this daemon.

    Returns:
        None for what is no http or https URL, and for one that leads back to this daemon for ever.
    """
    base = target_of(quote(_USERINFO.sub(r"\1", url), safe=_RAW))
    if base is not None and base.origin.startswith("http:") and is_here(_authority(base)):
        # The base may be the root of its host, which no file can be: what is asked for lies below it.
        file = asked_target(None, (*base.path, "file"), is_here)
        base = None if file is None else Target(file.origin, file.path[:-1])
    return None if base is None or is_here(_authority(base)) else base


def sources_of(
    targets: Iterable[IndexTarget],
    more: Iterable[str],
    mirrors: Callable[[str], Sequence[str] | None],
    is_here: Callable[[str], bool],
    machines: Collection[str] | None = frozenset(),
) -> Sources:
    """
    Returns the sources of a host.

    Args:
        more: URLs of bases that no source names.
        mirrors: Returns the URLs of the mirrors of a repository that has a list of them, None for any other one.
        is_here: Returns whether an authority names this daemon.
        machines: The hosts for which there are passwords; None where that can't be read.
    """
    secret: set[str] = set()
    urls: dict[str, Sequence[str]] = {}
    found: dict[str, tuple[Target, ...]] = {}
    lists: dict[str, dict[Target, None]] = {}
    others: dict[Target, None] = {}
    for target in targets:
        if target.repository not in found:
            several = mirrors(target.repository)
            urls[target.repository] = (target.repository,) if several is None else several
            bases = [base_of(url, is_here) for url in urls[target.repository]]
            found[target.repository] = tuple(dict.fromkeys(base for base in bases if base is not None))
            listed = mirror_list_base(target.repository, is_here)
            if listed is not None:
                others[listed] = None
        if target.kind in LIST_KINDS and found[target.repository]:
            lists.setdefault(target.file, {}).update(dict.fromkeys(found[target.repository]))
            if any(needs_password(url, machines) for url in urls[target.repository]):
                secret.add(target.file)
    others.update((base, None) for url in more if (base := base_of(url, is_here)) is not None)
    every = dict.fromkeys(base for bases in (*found.values(), tuple(others)) for base in bases)
    return Sources(Bases(tuple(every)), {file: tuple(bases) for file, bases in lists.items()}, frozenset(secret))


def _authority(base: Target) -> str:
    return base.origin.partition("://")[2]


def _file_name(url: str) -> str:
    """Returns the name that apt gives a file that it has fetched."""
    encoded = _ENCODED_IN_NAMES.sub(lambda match: "".join([f"%{byte:02x}" for byte in match[0].encode()]), url)
    return encoded.replace("/", "_")
