"""Writes the man pages and completions into this folder: `python -m tools.manual`."""

from __future__ import annotations

import sys

from tools.manual.files import ROOT, made

for path, text in made().items():
    (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
    (ROOT / path).write_text(text, "utf-8")
    sys.stdout.write(f"{path}\n")
