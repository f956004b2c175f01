"""Tests for `packaging/container`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from pacserve.config.options import build_parser
from pacserve.config.settings import DEFAULT_MULTICAST_PORT, DEFAULT_PORT, DEFAULT_SPOOL, DEFAULT_STATE
from pacserve.pacsrv.options import build_parser as build_pacsrv_parser
from tools.dockerfile import instructions

CONTAINER = Path(__file__).parents[3] / "packaging/container"
ROOT = CONTAINER.parents[1]


def last_stage() -> dict[str, str]:
    """The instructions of the image itself; those that come twice are joined."""
    found: dict[str, str] = {}
    for word, rest in instructions((CONTAINER / "Dockerfile").read_text()):
        if word == "FROM":
            found = {}
        found[word] = f"{found[word]} {rest}" if word in found else rest
    return found


def service() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load((CONTAINER / "compose.yaml").read_text())
    described: dict[str, Any] = compose["services"]["pacserve"]
    return described


class ContainerTests(SynchronousTestCase):
    def test_options(self) -> None:
        """Image and compose.yaml name only options that pacserve and pacsrv have."""
        image = last_stage()
        self.assertEqual(json.loads(image["ENTRYPOINT"]), ["pacserve"])
        for words in (json.loads(image["CMD"]), service()["command"]):
            build_parser().parse_args(words)
        program, *words = json.loads(image["HEALTHCHECK"].partition(" CMD ")[2])
        self.assertEqual(program, "pacsrv")
        build_pacsrv_parser().parse_args(words)

    def test_unprivileged(self) -> None:
        """It runs as an ordinary user, to whom the folders of the volumes belong; compose.yaml takes all else away."""
        image = last_stage()
        self.assertEqual(image["USER"], "pacserve")
        folders = json.loads(image["VOLUME"])
        self.assertEqual(sorted(folders), sorted([DEFAULT_SPOOL, DEFAULT_STATE]))
        self.assertEqual(image["ENV"], f"CACHE_DIRECTORY={DEFAULT_SPOOL} STATE_DIRECTORY={DEFAULT_STATE}")
        made = re.search(r"install -d -o pacserve -g pacserve -m 0755 (.*?)(?: &&|$)", image["RUN"])
        assert made
        self.assertEqual(sorted(made[1].split()), sorted(folders))
        self.assertEqual((service()["cap_drop"], service()["read_only"], service()["security_opt"]), (["ALL"], True, ["no-new-privileges:true"]))

    def test_network(self) -> None:
        """Multicast reaches it, and the ports are pacserve's."""
        self.assertEqual(service()["network_mode"], "host")
        self.assertEqual(last_stage()["EXPOSE"], f"{DEFAULT_PORT}/tcp {DEFAULT_MULTICAST_PORT}/udp")

    def test_volumes(self) -> None:
        """The two volumes are there, and nothing of the host can be written."""
        mounts = [volume.split(":") for volume in service()["volumes"]]
        self.assertEqual({mount[1] for mount in mounts if not mount[0].startswith("/")}, set(json.loads(last_stage()["VOLUME"])))
        for mount in mounts:
            if mount[0].startswith("/"):
                self.assertEqual(mount[2:], ["ro"])

    def test_context(self) -> None:
        """Of the checkout only what the package is built from gets into the build, and all of that is there."""
        lines = (CONTAINER / "Dockerfile.dockerignore").read_text().splitlines()
        wanted = {line.removeprefix("!") for line in lines if line.startswith("!")}
        (copied,) = re.findall(r"tar -c --exclude=__pycache__ ([^|]*)", (ROOT / "tools/deb.sh").read_text())
        patterns = [word.removeprefix("./") for word in copied.replace("\\\n", " ").split()]
        self.assertEqual({path.name for pattern in patterns for path in ROOT.glob(pattern)} - {"MANIFEST.in"}, wanted)
