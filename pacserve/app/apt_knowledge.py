"""The parts of apt's front that reports are made from, and the state of that front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pacserve.apt.content_delivery import ContentDelivery
from pacserve.apt.front import AptFront
from pacserve.apt.knowledge import Lists
from pacserve.delivery.delivering import Deliverer
from pacserve.packages.children import Run
from pacserve.report.status import AptStatus, MirrorStatus


@dataclass(frozen=True, slots=True)
class AptKnowledge:
    """
    The parts of apt's front.

    Attributes:
        port: The port on which apt is answered.
        diffs: False if apt is told that there are no differences between indexes.
        releases: Returns the number of releases that are kept.
        archives: Returns the number of files that are offered from where apt keeps them.
        is_here: Returns whether a host, with a port where there is one, means this daemon.
        run: Runs apt's own programs.
    """

    port: int
    diffs: bool
    front: AptFront
    content: ContentDelivery
    delivery: Deliverer
    lists: Lists
    releases: Callable[[], int]
    archives: Callable[[], int]
    is_here: Callable[[str], bool]
    run: Run


def apt_status(apt: AptKnowledge, mirror: Callable[[str, Sequence[str]], MirrorStatus]) -> AptStatus:
    """
    Returns the state of the front for apt.

    Args:
        mirror: Returns the state of a mirror, by scheme, host and port, with the folders that apt has files from.
    """
    folders: dict[str, list[str]] = {}
    for base in apt.lists.bases().bases:
        folder = f"/{'/'.join(base.path)}"
        known = folders.setdefault(base.origin, [])
        if folder not in known:
            known.append(folder)
    extent = apt.lists.extent()
    mirrors = tuple([mirror(origin, sorted(each)) for origin, each in folders.items()])
    return AptStatus(apt.port, mirrors, extent.lists, extent.files, apt.archives(), apt.releases())
