"""
A mirror that puts another file under the same name, of the same size and date, while the first one is fetched.

`changing_mirror.py PORT [--careless]`.  It breaks off in the middle of the first answer, and has the second file from then on.  A careless one
ignores If-Range.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIZE = 400_000
FIRST, SECOND = b"A" * SIZE, b"B" * SIZE
_MODIFIED = "Thu, 01 Jan 2026 00:00:00 GMT"


class ChangingMirror(BaseHTTPRequestHandler):
    """Answers every path with the same file."""

    protocol_version = "HTTP/1.1"
    changed = False
    careless = False

    def do_HEAD(self) -> None:
        """States size, date and entity tag."""
        self._head(200, 0)

    def do_GET(self) -> None:
        """Gives what is asked for, of the file of that moment."""
        if not ChangingMirror.changed:
            self._head(200, 0)
            ChangingMirror.changed = True
            self.wfile.write(FIRST[: SIZE // 2])
            self.close_connection = True
            return
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        whole = wanted is None or (condition not in (None, '"second"') and not self.careless)
        first = 0 if whole or wanted is None else int(wanted.removeprefix("bytes=").removesuffix("-"))
        self._head(200 if whole else 206, first)
        self.wfile.write(SECOND[first:])

    def _head(self, status: int, first: int) -> None:
        self.send_response(status)
        self.send_header("ETag", '"second"' if ChangingMirror.changed else '"first"')
        self.send_header("Last-Modified", _MODIFIED)
        self.send_header("Content-Length", str(SIZE - first))
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{SIZE - 1}/{SIZE}")
        self.end_headers()


if __name__ == "__main__":
    ChangingMirror.careless = "--careless" in sys.argv
    ThreadingHTTPServer(("", int(sys.argv[1])), ChangingMirror).serve_forever()
