"""Tests for `pacserve.claims.followers`; `test_followers_simulated` shows what the rules are good for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pacserve.claims.followers import (
    COMPLAINTS_PER_SOURCE,
    FIRST_FOLLOWERS,
    FOLLOWERS_LIMIT,
    FOLLOWERS_PER_HOST,
    FOLLOWERS_PER_NETWORK,
    FOLLOWERS_PER_SOURCE,
    MOVES_LIMIT,
    Followers,
)

ROOT = "root"
# Bytes per second at which the root gets the file.
RATE = 1_000_000


class FollowersTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.followers = Followers(ROOT)
        self.now = 0.0

    def ask(self, count: int, first: int = 0) -> dict[str, str | None]:
        """Asks for so many hosts whom they are to follow."""
        return {f"{number}": self.followers.leader(f"{number}", f"{number}", self.now) for number in range(first, first + count)}

    def again(self, host: str, written: int | None = 0) -> str | None:
        """A host asks again."""
        return self.followers.leader(host, host, self.now, written)

    def second(self, rates: Mapping[str, float]) -> dict[str, str | None]:
        """One more second, in which hosts got the file at some part of the rate of the root; whom each is to follow then."""
        self.now += 1.0
        self.followers.report(ROOT, "", int(RATE * self.now), self.now)
        return {host: self.followers.report(host, host, int(RATE * rate * self.now), self.now) for host, rate in rates.items()}

    def seconds(self, count: int, rates: Mapping[str, float]) -> dict[str, str | None]:
        """So many of them."""
        return [self.second(rates) for _ in range(count)][-1]

    def test_tree(self) -> None:
        """The root feeds two as long as nothing is known of its uplink; those who come later follow one of them, of which each feeds two."""
        leaders = self.ask(300)
        self.assertEqual(max(Counter(leaders.values()).values()), FIRST_FOLLOWERS)
        self.assertEqual([leaders[f"{number}"] for number in (0, 1, 2, 3, 4, 5, 6)], [ROOT, ROOT, "0", "0", "1", "1", "2"])

    def test_old(self) -> None:
        """A host that does not say how far it is follows the root, as in earlier versions, takes no place there, and leads nobody while others do."""
        old = {f"old {number}": self.followers.leader(f"old {number}", f"old {number}", 0.0, None) for number in range(FOLLOWERS_PER_HOST + 1)}
        self.assertEqual(list(old.values()), [ROOT] * FOLLOWERS_PER_HOST + ["old 0"])
        self.setUp()
        self.followers.leader("old", "old", 0.0, None)
        self.assertEqual(list(self.ask(3).values()), [ROOT, ROOT, "0"])

    def test_grows(self) -> None:
        """A host whose followers get the file as fast as it does is given one more at a time."""
        self.ask(2)
        self.seconds(3, {"0": 1.0, "1": 1.0})
        self.assertEqual(list(self.ask(2, 2).values()), [ROOT, "0"])
        self.seconds(3, {"0": 1.0, "1": 1.0, "2": 1.0, "3": 1.0})
        self.assertEqual(list(self.ask(1, 4).values()), [ROOT])

    def test_chain(self) -> None:
        """Where the root can't feed two as fast as the file comes, the followers become a chain: those that have most of the file come first."""
        self.ask(4)
        rates = {"0": 0.45, "1": 0.5, "2": 0.4, "3": 0.4}
        self.seconds(3, rates)
        self.assertEqual(self.second(rates), {"1": ROOT, "0": "1", "2": "0", "3": "2"})
        self.assertEqual(list(self.ask(2, 4).values()), ["3", "4"])

    def test_joins_late(self) -> None:
        """A host that comes with a part of the file, since it began to download it as well, is not taken to be fast for that."""
        self.ask(2)
        self.seconds(2, {"0": 1.0, "1": 1.0})
        self.followers.leader("2", "2", self.now, 10 * RATE)
        for second in (1, 2):
            self.followers.report("2", "2", 10 * RATE, self.now + second)
        self.assertEqual(self.followers._places["2"].rate, 0.0)

    def test_no_chain(self) -> None:
        """One of two that is slow says nothing of the root's uplink; nor do two that gain nothing when only one of them is left to the root."""
        self.ask(3)
        self.assertEqual(self.seconds(4, {"0": 0.1, "1": 1.0}), {"0": ROOT, "1": ROOT})
        self.setUp()
        self.ask(4)
        rates = {"0": 0.2, "1": 0.2, "2": 0.1, "3": 0.1}
        self.assertEqual(self.seconds(4, rates)["1"], "0")
        self.assertEqual(self.seconds(4, rates)["1"], ROOT)

    def test_chain_after_all(self) -> None:
        """Where the root was taken to be fast by mistake, three followers that together get no more than two did show it, and are a chain again."""
        self.ask(6)
        rates = {f"{number}": 0.4 for number in range(6)}
        self.seconds(3, rates)
        self.assertTrue(self.followers._is_chain)
        slower = {f"{number}": 0.2 for number in range(6)}
        self.now = 0.0
        self.seconds(4, slower)
        self.assertFalse(self.followers._is_chain)
        chain = []
        for _ in range(12):
            self.second(slower)
            chain.append(self.followers._is_chain)
        self.assertIn(True, chain)

    def test_slow_leader(self) -> None:
        """The followers of a host that gets far less than another go to one that does not; it keeps its place, and nobody is sent there any more."""
        self.assertEqual(list(self.ask(4).values()), [ROOT, ROOT, "0", "0"])
        leaders = self.seconds(4, {"0": 0.2, "1": 1.0, "2": 0.1, "3": 0.1})
        self.assertEqual((leaders["0"], leaders["1"]), (ROOT, ROOT))
        self.assertTrue({leaders["2"], leaders["3"]} <= {ROOT, "1"}, leaders)
        self.assertNotIn("0", self.ask(20, 4).values())

    def test_slow_uplink(self) -> None:
        """A host that gets all and gives little is left as well."""
        self.ask(4)
        leaders = self.seconds(4, {"0": 1.0, "1": 1.0, "2": 0.1, "3": 0.1})
        self.assertTrue({leaders["2"], leaders["3"]} <= {ROOT, "1"}, leaders)

    def test_moves_are_bounded(self) -> None:
        """A host that is slow wherever it is moves a few times only."""
        self.ask(30)
        told = [self.second({"20": 0.01, **{f"{number}": 1.0 for number in range(20)}})["20"] for _ in range(60)]
        self.assertLessEqual(sum(one != other for one, other in pairwise(told)), MOVES_LIMIT)

    def test_root_again(self) -> None:
        """A host that follows the root and asks again is told the same: its lease shows that it is alive."""
        self.ask(1)
        self.assertEqual((self.again("0"), len(self.followers)), (ROOT, 1))

    def test_follower_goes(self) -> None:
        """When a host in the middle goes, those that it fed are told others, and nobody is sent to it any more."""
        leaders = self.ask(60)
        fed = [host for host, leader in leaders.items() if leader == "0"]
        again = [self.again(host) for _ in range(2) for host in fed][-len(fed) :]
        self.assertNotIn("0", again)
        self.assertNotIn(None, again)
        self.assertNotIn("0", self.ask(100, 60).values())

    def test_waits_for_its_leader(self) -> None:
        """A host whose leader is alive and has no more itself is told the same leader once, and another one when it asks again."""
        self.ask(3)
        self.second({"0": 0.5})
        self.assertEqual([self.again("2", RATE // 2), self.again("2", RATE // 2)], ["0", ROOT])

    def test_boaster(self) -> None:
        """A host that says that it has more than the root can't be believed: it leads nobody any more."""
        self.ask(1)
        self.seconds(3, {"0": 5.0})
        self.assertEqual(list(self.ask(3, 1).values()), [ROOT, ROOT, "1"])

    def test_complaints_are_bounded(self) -> None:
        """A host that asks again and again, where the root has no room, can't keep all others from being followed."""
        for number in range(FOLLOWERS_PER_HOST):
            self.followers.leader(f"old {number}", f"old {number}", 0.0, None)
        self.ask(20)
        for _ in range(100):
            self.again("19")
        self.assertEqual(sum(place.doubted for place in self.followers._places.values()), COMPLAINTS_PER_SOURCE)

    def test_forged_id(self) -> None:
        """Nobody moves a host, or speaks for it, by stating its id at another address."""
        self.ask(3)
        self.assertEqual(self.followers.leader("2", "elsewhere", self.now, RATE), ROOT)
        self.assertIsNone(self.followers.report("2", "elsewhere", 5, 1.0))
        self.assertEqual(self.followers.report("2", "2", 5, 1.0), "0")
        self.assertIsNone(self.followers.report("stranger", "stranger", 5, 1.0))

    def test_invented(self) -> None:
        """One address brings a few hosts only, however many ids it states, and one network of IPv6 half of all; this host has always room."""
        for number in range(100):
            self.followers.leader(f"invented {number}", "10.0.0.66")
        self.assertEqual(len(self.followers), FOLLOWERS_PER_SOURCE)
        self.setUp()
        for number in range(FOLLOWERS_LIMIT):
            self.followers.leader(f"invented {number}", f"fd77::{number:x}")
        self.assertEqual(len(self.followers), FOLLOWERS_PER_NETWORK)

    def test_invented_leaders(self) -> None:
        """A host that can't follow whom it was told, since there is no such host, is told another one, and the place at the root is free again."""
        for number in range(FIRST_FOLLOWERS):
            self.followers.leader(f"invented {number}", "10.0.0.66")
        self.assertEqual(list(self.ask(1).values()), ["invented 0"])
        self.assertEqual(self.again("0"), ROOT)

    def test_bounds(self) -> None:
        """A host that is not remembered is told nobody."""
        self.assertEqual(self.ask(FOLLOWERS_LIMIT + 1)[f"{FOLLOWERS_LIMIT}"], None)
        self.assertEqual(len(self.followers), FOLLOWERS_LIMIT)
        self.assertIsNotNone(self.followers.leader("own", ""))
        self.assertIsNone(Followers(ROOT).leader("0", "0", room=False))

    @given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["ask", "old", "report"]), st.integers(0, 10**8)), max_size=300))
    def test_no_circles(self, events: list[tuple[int, str, int]]) -> None:
        """Whoever asks, asks again and says whatever, however often: nobody follows itself by any way round, and nobody feeds more than sixteen."""
        self.setUp()
        for number, event, written in events:
            self.now += 0.4
            host = f"{number}"
            if event == "report":
                self.followers.report(ROOT if number == 0 else host, "" if number == 0 else host, written, self.now)
            elif number:
                self.again(host, None if event == "old" else written)
            places = self.followers._places
            for one, place in places.items():
                self.assertLessEqual(len(place.followers), FOLLOWERS_PER_HOST)
                self.assertTrue(all(places[follower].leader == one for follower in place.followers))
                seen, at = {one}, place.leader
                while at not in ("", ROOT):
                    self.assertNotIn(at, seen)
                    seen.add(at)
                    at = places[at].leader
