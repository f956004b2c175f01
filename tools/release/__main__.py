"""Sees whether this checkout can be released, builds it into dist/, and says what to do next: `python -m tools.release`."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pacserve
from tools.release.checks import Checkout, objections

ROOT = Path(__file__).parents[2]
# Nothing of it is done here: whoever releases looks at each step.
_NEXT = """
{name} {version} can be released. dist/ has what to publish. What comes next:

  make test
  git tag --sign --message='{name} {version}' {tag}
  git push origin main {tag}
  .venv/bin/twine upload dist/*
"""


def _git(*arguments: str) -> tuple[str, ...]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(done.stdout.splitlines())


def main() -> int:
    """Returns the exit status: 1 where something has to be done first."""
    checkout = Checkout(
        version=pacserve.__version__,
        changelog=(ROOT / "CHANGELOG.md").read_text("utf-8"),
        tags=frozenset(_git("tag", "--list")),
        changes=_git("status", "--short"),
        today=datetime.now(UTC).date(),
    )
    if found := objections(checkout):
        print(f"{pacserve.__name__} {checkout.version} can't be released yet:", *(f"- {objection}" for objection in found), sep="\n", file=sys.stderr)
        return 1
    done = subprocess.run(["tools/dist.sh", "dist"], cwd=ROOT, env={**os.environ, "PYTHON": sys.executable}, check=False)
    if done.returncode == 0:
        print(_NEXT.format(name=pacserve.__name__, version=checkout.version, tag=checkout.tag))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
