"""Tests for `pacserve.web.origins`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.web.origins import Share, shares_in, source_text

A, B, PEER = "mirror https://a.example", "mirror http://b.example:8080", "peer [fd77::b]:15678"
_LONGEST_LINE = 300
_SOURCES = st.builds(
    "{} {}".format,
    st.sampled_from(["mirror", "peer"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1),
)


class OriginTests(SynchronousTestCase):
    def test_one(self) -> None:
        """A file of one host is from that host, and one of which nothing has come from none."""
        self.assertEqual([source_text(shares) for shares in ((), [Share(A, 5)], [Share(PEER, 5)])], ["", A, PEER])

    def test_several(self) -> None:
        """Of several hosts each is told with the bytes that it gave, most first; the first word says what most of them are."""
        for shares, text in (
            ([Share(A, 5), Share(B, 7)], "mirrors http://b.example:8080 7 bytes, https://a.example 5 bytes"),
            ([Share(PEER, 5), Share(A, 7)], "mirrors https://a.example 7 bytes, peer [fd77::b]:15678 5 bytes"),
            ([Share(PEER, 7), Share(A, 5)], "peers [fd77::b]:15678 7 bytes, mirror https://a.example 5 bytes"),
            (
                [Share(PEER, 6), Share(A, 5), Share(B, 5)],
                "mirrors peer [fd77::b]:15678 6 bytes, https://a.example 5 bytes, http://b.example:8080 5 bytes",
            ),
        ):
            self.assertEqual(source_text(shares), text)
            self.assertEqual(shares_in(f"{text}, downloaded, unverified"), (sorted(shares, key=lambda one: -one.size), "downloaded, unverified"))

    def test_many(self) -> None:
        """Of very many hosts those that gave least are added up, so that the line says how the file arrived."""
        shares = [Share(f"mirror https://mirror{number}.example.org", 1000 + number) for number in range(99)]
        text = f"{source_text(shares)}, downloaded, unverified"
        found, how = shares_in(text)
        self.assertLess(len(text), _LONGEST_LINE)
        self.assertEqual((how, sum(share.size for share in found)), ("downloaded, unverified", sum(share.size for share in shares)))
        self.assertEqual((found[0], found[-1].name), (shares[-1], "others"))

    def test_long(self) -> None:
        """The beginning of a very long name is told, with the bytes of its host."""
        long = Share(f"mirror https://{'a' * 240}.example", 7)
        found, _ = shares_in(source_text([long, Share(B, 5)]))
        self.assertEqual(found, [Share(long.source[: len("mirror ") + 60], 7), Share(B, 5)])

    def test_others(self) -> None:
        """What one host gave, or none, says nothing of shares."""
        for text in ("cache", "mirror https://a.example, downloaded", "peer 10.0.0.3:15678", "copy of mirror http://a", ""):
            self.assertEqual(shares_in(text), ((), text))

    @given(st.dictionaries(_SOURCES, st.integers(0, 1 << 45), min_size=2, max_size=20))
    def test_anything(self, sizes: dict[str, int]) -> None:
        """Whoever gave a file, the text is short, and no byte of it is lost."""
        text = f"{source_text([Share(source, size) for source, size in sizes.items()])}, downloaded, unverified"
        found, how = shares_in(text)
        self.assertLess(len(text), _LONGEST_LINE)
        self.assertEqual((sum(share.size for share in found), how), (sum(sizes.values()), "downloaded, unverified"))

    @given(st.sampled_from(["mirrors ", "peers "]), st.text())
    def test_noise(self, kind: str, text: str) -> None:
        """Whatever stands there, it is read or left."""
        shares, how = shares_in(kind + text)
        self.assertTrue(text.endswith(how))
        self.assertTrue(all(share.size >= 0 for share in shares))
