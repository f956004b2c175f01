from __future__ import annotations

import unittest

from tests.e2e.lab.connections import clients

# Of a server on port 80: it listens, has two connections of one client, one of another that has ended, and has asked somebody itself.
TABLE = """\
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   1: 017100CB:0050 0B004D0A:B61C 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0000000000000000 100 0 0 10 0
   2: 017100CB:0050 0B004D0A:B61E 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0000000000000000 100 0 0 10 0
   3: 017100CB:0050 0C004D0A:B620 06 00000000:00000000 00:00000000 00000000     0        0 4 1 0000000000000000 100 0 0 10 0
   4: 017100CB:B622 0C004D0A:0050 01 00000000:00000000 00:00000000 00000000     0        0 5 1 0000000000000000 100 0 0 10 0
"""


class ConnectionsTests(unittest.TestCase):
    def test_clients(self) -> None:
        """Established connections to the port count, by the address of the client."""
        self.assertEqual(clients(TABLE.splitlines(), 80), {"0B004D0A": 2})
