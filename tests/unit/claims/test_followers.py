"""Tests for `pacserve.claims.followers`."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.claims.followers import FOLLOWERS_LIMIT, FOLLOWERS_PER_HOST, FOLLOWERS_PER_SOURCE, Followers

ROOT = "root"


class FollowersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.followers = Followers(ROOT)

    def ask(self, count: int) -> dict[str, str | None]:
        """Whom so many hosts are told to follow."""
        return {f"{number}": self.followers.leader(f"{number}", f"{number}") for number in range(count)}

    def test_tree(self) -> None:
        """The root feeds sixteen; those who come later follow one of them, of which each feeds sixteen."""
        leaders = self.ask(300)
        self.assertEqual(max(Counter(leaders.values()).values()), FOLLOWERS_PER_HOST)
        self.assertEqual([leaders[f"{number}"] for number in (0, 15, 16, 31, 32)], [ROOT, ROOT, "0", "0", "1"])

    def test_root_again(self) -> None:
        """Who follows the root and asks again is told the same: its lease shows that it is alive."""
        self.ask(1)
        self.assertEqual((self.followers.leader("0", "0"), len(self.followers)), (ROOT, 1))

    def test_follower_goes(self) -> None:
        """When a host in the middle goes, those that it fed are told others, and nobody is sent to it any more."""
        leaders = self.ask(60)
        fed = [host for host, leader in leaders.items() if leader == "0"]
        again = [self.followers.leader(host, host) for host in fed]
        self.assertNotIn("0", again)
        self.assertNotIn(None, again)
        self.assertNotIn("0", [self.followers.leader(f"new {number}", f"new {number}") for number in range(100)])

    def test_invented(self) -> None:
        """One address brings a few hosts only, however many ids it states: leaders that don't exist lead nowhere."""
        for number in range(100):
            self.followers.leader(f"invented {number}", "10.0.0.66")
        self.assertEqual(len(self.followers), FOLLOWERS_PER_SOURCE)

    def test_bounds(self) -> None:
        """Who is not remembered is told nobody."""
        self.assertEqual(self.ask(FOLLOWERS_LIMIT + 1)[f"{FOLLOWERS_LIMIT}"], None)
        self.assertEqual(len(self.followers), FOLLOWERS_LIMIT)
        self.assertIsNone(Followers(ROOT).leader("0", "0", room=False))

    @given(st.lists(st.integers(0, 60), max_size=400))
    def test_no_circles(self, hosts: list[int]) -> None:
        """Whoever asks, and asks again, however often: nobody follows itself by any way round, and nobody feeds more than sixteen."""
        followers, told = Followers(ROOT), dict[str, str | None]()
        for number in hosts:
            host = f"{number}"
            told[host] = followers.leader(host, host)
            self.assertLessEqual(max(Counter(leader for leader in told.values() if leader).values(), default=0), FOLLOWERS_PER_HOST)
            seen, at = {host}, told[host]
            while at not in (None, ROOT):
                self.assertNotIn(at, seen)
                seen.add(at)
                at = told[at]
