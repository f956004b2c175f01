"""Tests for `pacserve.pacman.privacy`."""

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from pacserve.pacman.configuration import PacmanConfiguration, Repository, without_pacman
from pacserve.pacman.privacy import PrivateRepositories
from pacserve.pacman.servers import Servers
from tests.fakes.interfaces import Addresses, Configuration

OWN = "http://localhost:15678/request/x/x86_64"


@implementer(ILogObserver)
class Warnings(list[str]):
    """The warnings in the log."""

    def __call__(self, event: LogEvent) -> None:
        if event["log_level"].name == "warn":
            self.append(str(event["name"]))


class PrivateRepositoriesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.configuration = Configuration()
        self.warnings = Warnings()
        globalLogPublisher.addObserver(self.warnings)
        self.addCleanup(globalLogPublisher.removeObserver, self.warnings)

    def configure(self, **servers: tuple[str, ...]) -> None:
        """Changes pacman.conf."""
        repositories = {name: Repository(name, lines) for name, lines in servers.items()}
        self.configuration.value = PacmanConfiguration(("x86_64",), (), "/nowhere", repositories)

    def known(self, *named: str) -> PrivateRepositories:
        """The private repositories, with those that the user named."""
        return PrivateRepositories(self.configuration, Servers(self.configuration, Addresses(), (), 15678), named)

    def test_by_servers(self) -> None:
        """A repository that nobody else gets at is private: with no other Servers than files of this host and such as name a user."""
        for servers, private in (
            ((OWN, "http://a.example/x"), False),
            ((OWN, "https://u:secret@a.example/x"), True),
            ((OWN, "https://u@a.example/x", "file:///srv/x"), True),
            (("file:///srv/x",), True),
            (("FILE:/srv/x", OWN), True),
            (("ftp://u:secret@a.example/x",), True),
            (("https://u:sec ret@a.example/x",), True),
            ((OWN, "https://u:secret@a.example/x", "http://b.example/x"), False),
            (("file:///srv/x", "http://b.example/x"), False),
            (("file:///srv/x", "rsync://b.example/x"), False),
            (("http://a.example/@x/y",), False),
            ((OWN,), False),
            ((), False),
        ):
            self.configure(x=servers)
            self.assertEqual(self.known().names(), frozenset({"x"} if private else ()), servers)

    def test_named(self) -> None:
        """What the user names is private as well, as far as pacman.conf has it; what it has not is complained about."""
        self.configure(core=("http://a.example/core",), ours=("http://a.example/ours",))
        self.assertEqual((self.known("ours", "typo").names(), self.warnings), ({"ours"}, ["typo"]))

    def test_read_again(self) -> None:
        """A change of pacman.conf is noticed, and there is one warning for each."""
        self.configuration.value = without_pacman("no pacman")
        known = self.known("ours")
        self.assertEqual((known.names(), self.warnings), (frozenset(), []))
        self.configure(core=("file:///srv",))
        self.assertEqual((known.names(), known.names(), self.warnings), ({"core"}, {"core"}, ["ours"]))
        self.configure(core=("http://a.example",), ours=())
        self.assertEqual((known.names(), len(self.warnings)), ({"ours"}, 1))
