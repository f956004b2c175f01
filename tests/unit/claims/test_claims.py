"""Tests for `pacserve.claims.claims`."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from pacserve.claims.claims import (
    CLAIMS_LIMIT,
    CLAIMS_PER_NETWORK,
    CLAIMS_PER_SOURCE,
    CLAIMS_RESERVED,
    FINISHED,
    LAPSED,
    LEASE,
    OWN,
    Claims,
    Verdict,
)
from pacserve.claims.followers import FOLLOWERS_PER_HOST
from pacserve.peers.reputation import DISTRUST, LOST_LEASES_LIMIT, LOST_LEASES_PENALTY, LOST_LEASES_WINDOW, Reputations

FIRST, SECOND, THIRD = "1" * 32, "2" * 32, "3" * 32
GRANTED = Verdict(None, granted=True)
ON_ITS_OWN = Verdict(None, granted=False)
KEY = "zlib"


def address(instance: str) -> str:
    """Where a host asks from."""
    return f"10.0.0.{instance[-1]}"


class Setup(SynchronousTestCase):
    def setUp(self) -> None:
        self.reputations = Reputations()
        self.claims = Claims(self.reputations)

    def ask(self, instance: str, now: float = 0.0, key: str = KEY, source: str = "") -> Verdict:
        """A host asks."""
        return self.claims.ask(key, instance, source or address(instance), now)

    def renew(self, instance: str, now: float, source: str = "") -> bool:
        """A host renews."""
        return self.claims.renew(KEY, instance, source or address(instance), now)

    def finish(self, instance: str, now: float, source: str = "") -> None:
        """A host has the file."""
        self.claims.finish(KEY, instance, source or address(instance), now)

    def release(self, instance: str, now: float = 0.0, source: str = "") -> None:
        """A host gives up."""
        self.claims.release(KEY, instance, source or address(instance), now)

    def lose(self, instance: str, times: int, now: float, source: str = "") -> float:
        """A host loses leases of which nobody hears any more; the time when the last was lost."""
        for number in range(times):
            self.ask(instance, now, f"lost {now} {number}", source)
        return now + LEASE


class ClaimsTests(Setup):
    def test_first(self) -> None:
        """The first to ask downloads, the others follow it, and what they ask again is answered alike."""
        self.assertEqual(self.ask(FIRST), GRANTED)
        for _ in range(2):
            self.assertEqual(self.ask(SECOND), Verdict(FIRST, granted=False))
            self.assertEqual(self.ask(FIRST), GRANTED)
        self.assertEqual(self.ask(SECOND, key="xz"), GRANTED)

    def test_lease(self) -> None:
        """A holder that renews its claim keeps it, one that does not loses it to the next who asks."""
        self.ask(FIRST)
        self.assertTrue(self.renew(FIRST, 1.9))
        self.assertEqual(self.ask(SECOND, 3.8), Verdict(FIRST, granted=False))
        self.assertEqual(self.ask(SECOND, 1.9 + LEASE), GRANTED)
        self.assertFalse(self.renew(THIRD, 4.0))

    def test_late(self) -> None:
        """A holder that was only late gets its claim back, from another host as well, which then follows it; the lost lease is forgiven."""
        for meanwhile in (None, SECOND):
            self.setUp()
            for number in range(LOST_LEASES_LIMIT + 1):
                now = 10.0 * number
                self.assertEqual(self.ask(FIRST, now), GRANTED)
                if meanwhile:
                    self.assertEqual(self.ask(meanwhile, now + LEASE), GRANTED)
                self.assertTrue(self.renew(FIRST, now + 3.0))
                if meanwhile:
                    self.assertFalse(self.renew(meanwhile, now + 3.1))
                    self.assertEqual(self.ask(meanwhile, now + 3.1), Verdict(FIRST, granted=False))
                self.release(FIRST, now + 3.2)

    def test_too_late(self) -> None:
        """A claim is not given back after a while, nor for a file that another host has by now, nor to a host at another address."""
        self.ask(FIRST)
        self.assertFalse(self.renew(FIRST, LEASE + LAPSED))
        self.setUp()
        self.ask(FIRST)
        self.ask(SECOND, LEASE)
        self.assertFalse(self.renew(FIRST, LEASE, source=address(THIRD)))
        self.finish(SECOND, LEASE)
        self.assertFalse(self.renew(FIRST, LEASE))

    def test_late_keeper(self) -> None:
        """A keeper that is late itself gives a holder longer to be heard."""
        lease = [LEASE]
        self.claims = Claims(self.reputations, lambda: lease[0])
        self.ask(FIRST)
        lease[0] = 2 * LEASE
        self.assertEqual(self.ask(SECOND, 1.9 * LEASE), Verdict(FIRST, granted=False))
        lease[0] = LEASE
        self.assertEqual(self.ask(SECOND, 1.9 * LEASE), GRANTED)

    def test_strangers(self) -> None:
        """Who does not hold a claim can neither renew nor end it."""
        self.ask(FIRST)
        self.assertFalse(self.renew(SECOND, 1.0))
        self.release(SECOND, 1.0)
        self.finish(SECOND, 1.0)
        self.claims.release("xz", FIRST, address(FIRST), 1.0)
        self.assertEqual(self.ask(SECOND, 1.0), Verdict(FIRST, granted=False))

    def test_forged_id(self) -> None:
        """Who states the id of the holder from another address can neither renew, end nor take its claim, and is not told to follow itself."""
        self.ask(FIRST)
        self.assertFalse(self.renew(FIRST, 1.5, "10.0.0.66"))
        self.release(FIRST, 1.5, "10.0.0.66")
        self.finish(FIRST, 1.5, "10.0.0.66")
        self.assertEqual(self.ask(FIRST, 1.5, source="10.0.0.66"), ON_ITS_OWN)
        self.assertEqual(self.ask(SECOND, 1.5), Verdict(FIRST, granted=False))
        self.assertEqual(self.ask(SECOND, LEASE), GRANTED)

    def test_moved(self) -> None:
        """A host that changes its address loses one lease, and gets the next from there."""
        self.ask(FIRST)
        self.assertEqual(self.ask(FIRST, LEASE, source="10.0.0.77"), GRANTED)
        self.assertTrue(self.renew(FIRST, LEASE + 1, "10.0.0.77"))

    def test_release(self) -> None:
        """What was given up may be claimed by the next."""
        self.ask(FIRST)
        self.release(FIRST)
        self.assertEqual((self.ask(SECOND), len(self.claims)), (GRANTED, 1))

    def test_finished(self) -> None:
        """Who asks for what was just downloaded is sent there; that is no lost lease."""
        for turn in range(LOST_LEASES_LIMIT + 1):
            now = turn * 100.0
            self.assertEqual(self.ask(FIRST, now), GRANTED)
            self.finish(FIRST, now + 1)
            self.assertFalse(self.renew(FIRST, now + 2))
            self.assertEqual(self.ask(SECOND, now + FINISHED), Verdict(FIRST, granted=False))

    def test_lost_again(self) -> None:
        """A holder that lost the file and asks again downloads it again."""
        self.ask(FIRST)
        self.finish(FIRST, 1.0)
        self.assertEqual(self.ask(FIRST, 2.0), GRANTED)
        self.assertTrue(self.renew(FIRST, 3.0))

    def test_takes_over(self) -> None:
        """When the holder goes, the first follower that asks again takes over, and the others follow that one."""
        self.ask(FIRST)
        self.ask(SECOND)
        self.ask(THIRD)
        self.assertEqual(self.ask(THIRD, LEASE), GRANTED)
        self.assertEqual(self.ask(SECOND, LEASE), Verdict(THIRD, granted=False))

    def test_report(self) -> None:
        """A follower says how far it is and is told its leader; any other host is told nobody, and goes on as it does."""
        self.ask(FIRST)
        self.assertEqual(self.claims.report(KEY, SECOND, address(SECOND), 1.0, 5), ON_ITS_OWN)
        self.ask(SECOND)
        self.assertEqual(self.claims.report(KEY, SECOND, address(SECOND), 1.0, 5), Verdict(FIRST, granted=False))
        self.assertEqual(self.claims.report(KEY, SECOND, address(SECOND), 1.0, None), ON_ITS_OWN)
        self.assertEqual(self.claims.report(KEY, FIRST, address(FIRST), 1.0, 5), ON_ITS_OWN)
        self.assertEqual(self.claims.report("xz", SECOND, address(SECOND), 1.0, 5), ON_ITS_OWN)
        self.assertEqual(self.claims.report(KEY, SECOND, address(SECOND), LEASE, 5), ON_ITS_OWN, "a report is no sign of life of the holder")

    def test_sent_elsewhere(self) -> None:
        """A holder that renews its claim says how far it is: where it can't feed two, the second one is sent to the first."""
        self.ask(FIRST)
        for instance in (SECOND, THIRD):
            self.claims.handle("ask", KEY, instance, address(instance), 0.0, 0)
        for now in (1.0, 2.0, 3.0):
            self.claims.handle("renew", KEY, FIRST, address(FIRST), now, int(now * 1000))
            told = [self.claims.handle("report", KEY, one, address(one), now, int(now * 400)).follow for one in (SECOND, THIRD)]
        self.assertEqual(told, [FIRST, SECOND])

    def test_followed_for_long(self) -> None:
        """What was downloaded is remembered as long as hosts follow: one whose leader goes is told another one, and does not download it again."""
        self.ask(FIRST)
        self.ask(SECOND)
        self.finish(FIRST, 1.0)
        for now in range(2, 3 * int(FINISHED)):
            self.claims.report(KEY, SECOND, address(SECOND), now, now)
        self.assertEqual(self.ask(SECOND, 3 * FINISHED), Verdict(FIRST, granted=False))
        self.assertEqual(self.ask(SECOND, 4 * FINISHED), GRANTED)


class OffenceTests(Setup):
    def test_ban(self) -> None:
        """A host that lost three leases gets none for ten minutes, and downloads on its own; nobody need have asked for the files again."""
        lost_at = self.lose(FIRST, LOST_LEASES_LIMIT, 0.0)
        self.assertEqual(self.ask(FIRST, lost_at), ON_ITS_OWN)
        self.assertEqual(self.ask(SECOND, lost_at), GRANTED)
        self.assertEqual(self.ask(FIRST, lost_at), Verdict(SECOND, granted=False), "it may follow")
        self.release(SECOND, lost_at)
        self.assertEqual(self.ask(FIRST, lost_at + LOST_LEASES_PENALTY - 1), ON_ITS_OWN)
        self.assertEqual(self.ask(FIRST, lost_at + LOST_LEASES_PENALTY), GRANTED)

    def test_many_ids(self) -> None:
        """The ban goes by the address: another id does not get round it, and no other host is banned by stating its id."""
        lost_at = self.lose(FIRST, LOST_LEASES_LIMIT, 0.0, "10.0.0.66")
        self.assertEqual(self.ask(SECOND, lost_at, source="10.0.0.66"), ON_ITS_OWN)
        self.assertEqual(self.ask(FIRST, lost_at), GRANTED)

    def test_losses_age(self) -> None:
        """A few losses spread over a long time are no reason for a ban."""
        now = 0.0
        for _ in range(10):
            now = self.lose(FIRST, LOST_LEASES_LIMIT - 1, now) + LOST_LEASES_WINDOW
        self.assertEqual(self.ask(FIRST, now), GRANTED)

    def test_liar(self) -> None:
        """A host that served wrong bytes loses its claims, and gets none for an hour."""
        self.ask(FIRST)
        self.ask(FIRST, key="xz")
        self.reputations.of(address(FIRST)).lied(1.0)
        self.assertFalse(self.renew(FIRST, 1.0))
        self.assertEqual([self.ask(SECOND, 1.0, key) for key in (KEY, "xz")], [GRANTED, GRANTED])
        self.release(SECOND, 1.0)
        self.assertEqual(self.ask(FIRST, DISTRUST), ON_ITS_OWN)
        self.assertEqual(self.ask(FIRST, 1.0 + DISTRUST), GRANTED)

    def test_bounds(self) -> None:
        """One address holds a bounded number of claims, by however many ids, and so do all together; nobody is refused a download of its own."""
        verdicts = [self.ask(f"{number:032x}", key=f"{number}", source="10.0.0.3") for number in range(CLAIMS_PER_SOURCE + 1)]
        self.assertEqual(verdicts, [GRANTED] * CLAIMS_PER_SOURCE + [ON_ITS_OWN])
        for number in range(2 * CLAIMS_LIMIT):
            self.ask(f"{number:032x}", key=f"x{number}", source=f"{number}")
        self.assertEqual(len(self.claims), CLAIMS_LIMIT - CLAIMS_RESERVED)
        self.assertEqual([self.claims.ask(f"own {number}", FIRST, OWN, 0.0) for number in range(CLAIMS_RESERVED)], [GRANTED] * CLAIMS_RESERVED)
        self.assertEqual(self.ask(SECOND, LEASE, key="later", source="later"), GRANTED)
        self.assertEqual(len(self.claims), 1)

    def test_network(self) -> None:
        """A host that takes any number of IPv6 addresses leaves half of all claims to others."""
        for number in range(2 * CLAIMS_LIMIT):
            self.ask(f"{number:032x}", key=f"{number}", source=f"fd77::{number:x}")
        self.assertEqual(len(self.claims), CLAIMS_PER_NETWORK)
        self.assertEqual(self.ask(SECOND, key="other", source="fd78::1"), GRANTED)
        self.assertEqual(self.ask(SECOND, LEASE, key="later", source="fd77::1"), GRANTED)

    def test_finished_make_room(self) -> None:
        """A host that downloads many small files in a short time gets a claim for each: what is finished makes room."""
        for number in range(3 * CLAIMS_PER_SOURCE):
            self.assertEqual(self.ask(FIRST, key=f"{number}"), GRANTED)
            self.claims.finish(f"{number}", FIRST, address(FIRST), 0.0)
        self.assertEqual(len(self.claims), CLAIMS_PER_SOURCE)
        self.assertEqual(self.ask(SECOND, key=f"{3 * CLAIMS_PER_SOURCE - 1}"), Verdict(FIRST, granted=False))


HOSTS = st.integers(0, 40)
KEYS = st.sampled_from("abc")


class ClaimsMachine(RuleBasedStateMachine):
    """Hosts that ask, renew, finish, release, vanish and change their addresses in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.reputations = Reputations()
        self.claims = Claims(self.reputations)
        self.now = 0.0
        self.addresses: dict[int, int] = {}
        self.holders: dict[str, tuple[str, str, float]] = {}
        self.told: dict[str, dict[str, str]] = {}
        self.finished: set[str] = set()
        self.lapsed: dict[str, tuple[str, str, float]] = {}

    def source(self, host: int) -> str:
        """Where a host asks from now."""
        return f"{host}/{self.addresses.get(host, 0)}"

    def live(self, key: str) -> tuple[str, str] | None:
        """Who holds a key by what was granted."""
        holder = self.holders.get(key)
        return holder[:2] if holder is not None and self.now < holder[2] else None

    def lapse(self, key: str) -> None:
        """A holder that was not heard in time has lost its lease."""
        holder = self.holders.get(key)
        if holder is not None and self.now >= holder[2] and key not in self.finished:
            self.lapsed[key] = holder

    def may_return(self, key: str, instance: str, source: str) -> bool:
        """Whether a host that was late may have its claim back."""
        self.lapse(key)
        lapsed = self.lapsed.get(key)
        of_another = self.live(key) is not None and key in self.finished
        return lapsed is not None and lapsed[:2] == (instance, source) and self.now < lapsed[2] + LAPSED and not of_another

    @rule(host=HOSTS, key=KEYS)
    def ask(self, host: int, key: str) -> None:
        """One is granted the claim only when nobody else holds it, and nobody is told to follow itself, by any way round."""
        instance, source, live = f"i{host}", self.source(host), self.live(key)
        self.lapse(key)
        verdict = self.claims.ask(key, instance, source, self.now)
        if verdict.granted:
            assert verdict.follow is None
            assert live in (None, (instance, source))
            if live is None:
                self.told[key] = {}
            self.holders[key] = (instance, source, self.now + LEASE)
            self.finished.discard(key)
        elif verdict.follow is not None:
            assert live is not None
            told = self.told[key]
            told[instance] = verdict.follow
            assert max(Counter(told.values()).values()) <= FOLLOWERS_PER_HOST
            seen, at = {instance}, verdict.follow
            while at != live[0]:
                assert at not in seen
                seen.add(at)
                at = told[at]
            assert at != instance
        else:
            self.told.get(key, {}).pop(instance, None)

    @rule(host=HOSTS, key=KEYS)
    def renew(self, host: int, key: str) -> None:
        """Who holds the claim renews it, or who lost it lately by being late, and nobody else."""
        instance, source, live = f"i{host}", self.source(host), self.live(key)
        returns = live != (instance, source) and self.may_return(key, instance, source)
        renewed = self.claims.renew(key, instance, source, self.now)
        if renewed:
            assert live == (instance, source) or returns
            if returns:
                self.told[key] = {}
                del self.lapsed[key]
                self.finished.discard(key)
            assert key not in self.finished
            self.holders[key] = (instance, source, self.now + LEASE)

    @rule(host=HOSTS, key=KEYS, kept=st.booleans())
    def end(self, host: int, key: str, kept: bool) -> None:
        """Who holds the claim ends it, and nobody else."""
        instance, source, live = f"i{host}", self.source(host), self.live(key)
        (self.claims.finish if kept else self.claims.release)(key, instance, source, self.now)
        if live != (instance, source):
            return
        if not kept:
            del self.holders[key]
        elif key not in self.finished:
            self.holders[key] = (instance, source, self.now + FINISHED)
            self.finished.add(key)

    @rule(key=KEYS)
    def holder_renews(self, key: str) -> None:
        """A holder that is alive keeps its claim."""
        live = self.live(key)
        if live is not None and self.claims.renew(key, *live, self.now):
            self.holders[key] = (*live, self.now + LEASE)

    @rule(host=HOSTS, key=KEYS, written=st.integers(0, 1000))
    def report(self, host: int, key: str, written: int) -> None:
        """A host says how far it is; nobody is told to follow itself, or is granted anything."""
        instance, source, live = f"i{host}", self.source(host), self.live(key)
        verdict = self.claims.report(key, instance, source, self.now, written)
        assert not verdict.granted
        assert verdict.follow != instance
        assert verdict.follow is None or live is not None
        if verdict.follow is not None and live is not None:
            self.told[key][instance] = verdict.follow
            if key in self.finished:
                self.holders[key] = (*live, self.now + FINISHED)

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 600.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    @rule(host=HOSTS)
    def move(self, host: int) -> None:
        """A host gets another address."""
        self.addresses[host] = self.addresses.get(host, 0) + 1

    @rule(host=HOSTS)
    def distrust(self, host: int) -> None:
        """A host served wrong bytes."""
        self.reputations.of(self.source(host)).lied(self.now)
        for key, holder in list(self.holders.items()):
            if holder[1] == self.source(host):
                del self.holders[key]

    @invariant()
    def bounded(self) -> None:
        """There is one claim for each key at most."""
        assert len(self.claims) <= 3


ClaimsMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=60)
ClaimsMachineTests = ClaimsMachine.TestCase
