"""The steps of packaging/container/Dockerfile, in new Debians instead of containers."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import require
from tests.e2e.lab.debian import RELEASES, Debian, checkout, missing
from tools.dockerfile import instructions

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]


def test_steps(tmp_path: Path) -> None:
    """The last image's daemon runs as the user of the image, answers, and is healthy; the daemon's folders are its own."""
    require(missing())
    stages: list[Debian] = []
    image: dict[str, str] = {}
    folder = "/"
    for word, rest in instructions((ROOT / "packaging/container/Dockerfile").read_text()):
        if word == "FROM":
            stages.append(_base(rest.split()[0], tmp_path / f"stage{len(stages)}"))
            image, folder = {}, "/"
        elif word == "WORKDIR":
            folder = rest
            (stages[-1].path / rest[1:]).mkdir(parents=True, exist_ok=True)
        elif word == "COPY":
            _copy(rest.split(), stages, folder)
        elif word == "RUN":
            stages[-1].run(rest, folder)
        else:
            image[word] = rest

    command = [*json.loads(image["ENTRYPOINT"]), *json.loads(image["CMD"])]
    health = json.loads(image["HEALTHCHECK"].partition(" CMD ")[2])
    variables = " ".join(f"--setenv={word}" for word in image["ENV"].split())
    as_user = f"systemd-run --quiet --property=User={image['USER']} {variables}"
    # No systemd runs in a container; the service would take the folders for its own user.
    stages[-1].run("systemctl mask pacserve.socket pacserve.service")
    with stages[-1].booted() as machine:
        assert machine.attempt(shlex.join(health)).returncode != 0
        machine.run(f"{as_user} --unit=contained --property=NoNewPrivileges=yes --property=CapabilityBoundingSet= {shlex.join(command)}")
        assert json.loads(machine.answer("/info"))["files"] == {}
        machine.run(f"{as_user} --wait {shlex.join(health)}")
        log = machine.run("journalctl --no-pager --unit=contained")
        assert not [line for line in log.splitlines() if "[warn]" in line and ("spool" in line or "state" in line)], log
        for volume in json.loads(image["VOLUME"]):
            assert machine.run(f"find {volume} -mindepth 1 -user {image['USER']} | head -n 1"), volume


def _base(image: str, path: Path) -> Debian:
    (version,) = (version for version, release in RELEASES.items() if image == f"debian:{release}-slim")
    return Debian(version, path)


def _copy(words: list[str], stages: list[Debian], folder: str) -> None:
    if words[0] == ".":
        checkout(stages[-1].path / folder[1:])
        return
    source, target = stages[-2].path / words[1][1:], stages[-1].path / words[2][1:]
    assert words[0].startswith("--from=")
    target.mkdir(parents=True)
    for file in source.parent.glob(source.name):
        shutil.copy(file, target)
