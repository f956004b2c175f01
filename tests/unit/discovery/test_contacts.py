"""Tests for `pacserve.discovery.contacts`."""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pacserve.discovery.contacts import CONTACTS_PER_TURN, TURN_INTERVAL, Contacts


class ContactsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.gone: set[str] = set()
        self.room = 100
        self.contacted: list[tuple[float, str]] = []
        self.contacts = Contacts(self.clock, lambda instance: instance not in self.gone, lambda: self.room, self.contact)

    def contact(self, instance: str) -> int:
        """Notes when a host was contacted."""
        self.contacted.append((round(self.clock.seconds(), 3), instance))
        return 1

    def test_delay(self) -> None:
        """A host is contacted in the first turn after its time, once however often that is planned."""
        self.contacts.plan("a", 0.25)
        self.contacts.plan("a", 0.0)
        self.clock.pump([TURN_INTERVAL] * 10)
        self.assertEqual(self.contacted, [(0.3, "a")])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_again(self) -> None:
        """A host that was contacted may be contacted again, also when it is planned while it is contacted."""

        def contact(instance: str) -> int:
            self.contacts.plan("b", 0)
            return self.contact(instance)

        self.contacts = Contacts(self.clock, lambda _: True, lambda: 100, contact)
        self.contacts.plan("a", 0)
        self.clock.advance(TURN_INTERVAL)
        self.clock.advance(TURN_INTERVAL)
        self.assertEqual([instance for _, instance in self.contacted], ["a", "b"])
        self.contacts.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_few(self) -> None:
        """A few are contacted in a turn, and fewer where there is no room; nobody is forgotten."""
        for number in range(CONTACTS_PER_TURN + 5):
            self.contacts.plan(f"{number}", 0)
        self.clock.advance(TURN_INTERVAL)
        self.assertEqual(len(self.contacted), CONTACTS_PER_TURN)
        self.room = 0
        self.clock.advance(TURN_INTERVAL)
        self.assertEqual(len(self.contacted), CONTACTS_PER_TURN)
        self.room = 3
        self.clock.advance(TURN_INTERVAL)
        self.assertEqual(len(self.contacted), CONTACTS_PER_TURN + 3)
        self.clock.advance(TURN_INTERVAL)
        self.assertEqual(len(self.contacted), CONTACTS_PER_TURN + 5)

    def test_gone(self) -> None:
        """A host that is not wanted any more is forgotten."""
        self.contacts.plan("a", 10)
        self.gone.add("a")
        self.clock.advance(TURN_INTERVAL)
        self.assertEqual((self.contacted, self.clock.getDelayedCalls()), ([], []))
