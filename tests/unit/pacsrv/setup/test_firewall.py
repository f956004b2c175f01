"""Tests for `pacserve.pacsrv.setup.firewall`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pacserve.pacsrv.setup.firewall import Rules, judge, judge_undo
from pacserve.pacsrv.setup.record import Record
from pacserve.pacsrv.setup.steps import Judgement

OPEN = "-P INPUT ACCEPT\n"
DROPS = "-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n"
# As in the wiki of Arch Linux.
REJECTS = (
    "-P INPUT ACCEPT\n-A INPUT -m conntrack --ctstate INVALID -j DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -j REJECT --reject-with x\n"
)
# What fail2ban and the like leave in a firewall that is open.
NARROW = "-P INPUT ACCEPT\n-A INPUT -s 10.1.2.3/32 -j DROP\n-A INPUT -m conntrack --ctstate INVALID -j DROP\n-A INPUT -p tcp --dport 25 -j REJECT\n"
NFT = """table inet filter {
	set banned {
		type ipv4_addr
	}

	chain input {
		type filter hook input priority filter; policy POLICY;
		iif "lo" accept
		tcp dport 23 drop
		RULE
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
"""
BY_IPTABLES = NFT.replace("table inet", "table ip").replace("chain input", "chain INPUT").replace("POLICY", "drop").replace("RULE", "")


def nft(policy: str = "accept", rule: str = "") -> str:
    """A ruleset of nftables."""
    return NFT.replace("POLICY", policy).replace("RULE", rule)


def judged(iptables: str | None = OPEN, ip6tables: str | None = OPEN, ruleset: str | None = "", port: int = 15678) -> Judgement:
    """The judgement of a firewall."""
    return judge(Rules(iptables, ip6tables, ruleset), "/script", port, Record())


class FirewallTests(SynchronousTestCase):
    def commands(self, judgement: Judgement) -> list[str]:
        """The commands of the step, joined."""
        self.assertEqual(judgement.note, "")
        return [] if judgement.step is None else [" ".join(command) for command in judgement.step.commands]

    def test_open(self) -> None:
        """A firewall that lets everything in, or refuses some hosts and ports only, is left alone."""
        for found in (judged(), judged(None, None, None), judged(NARROW), judged(ruleset=nft()), judged(ruleset=nft("accept", "counter"))):
            self.assertEqual(self.commands(found), [])

    def test_iptables(self) -> None:
        """A chain of iptables that refuses whatever no rule lets in, of either family, is opened by the script."""
        for found in (judged(DROPS), judged(REJECTS), judged(OPEN, DROPS), judged(None, DROPS)):
            self.assertEqual(self.commands(found), ["/script add"])
        self.assertEqual(self.commands(judged(DROPS, port=15680)), ["/script add --port 15680"])

    def test_opened(self) -> None:
        """What the script has opened is open."""
        rule = 'ip daddr 224.0.0.0/4 udp dport 15679 accept comment "pacserve"'
        jump = "-A INPUT -j pacserve\n"
        self.assertEqual(self.commands(judged(DROPS + jump, DROPS + jump, nft("drop", rule))), [])
        self.assertEqual(self.commands(judged(DROPS + jump, DROPS)), ["/script add"])

    def test_nftables(self) -> None:
        """A chain of nftables is opened by its name; that of iptables, which keeps its rules there, by iptables where that is installed."""
        for found in (judged(ruleset=nft("drop")), judged(ruleset=nft("accept", "counter drop")), judged(ruleset=nft("accept", "reject with x"))):
            self.assertEqual(self.commands(found), ["/script add --nft inet filter input"])
        self.assertEqual(self.commands(judged(DROPS, OPEN, BY_IPTABLES + nft("drop"))), ["/script add", "/script add --nft inet filter input"])
        self.assertEqual(self.commands(judged(None, None, BY_IPTABLES)), ["/script add --nft ip filter INPUT"])
        odd = nft("drop").replace("table inet filter", "table bridge filter")
        self.assertEqual(self.commands(judged(ruleset=odd)), [])

    def test_managed(self) -> None:
        """A firewall that a program keeps is opened by that program, and the words for it are told."""
        firewalld = judged(ruleset=nft("drop").replace("table inet filter", "table inet firewalld"))
        self.assertIsNone(firewalld.step)
        self.assertIn("--add-port=15678/tcp --add-port=15679/udp", firewalld.note)
        ufw = judged(DROPS + "-A INPUT -j ufw-before-input\n", port=15680)
        self.assertIsNone(ufw.step)
        self.assertIn("ufw allow 15680/tcp; ufw allow 15679/udp", ufw.note)

    def test_no_script(self) -> None:
        """Without the script the ports are told."""
        found = judge(Rules(DROPS), None, 15678, Record())
        self.assertIsNone(found.step)
        self.assertIn("TCP port 15678", found.note)

    def test_record(self) -> None:
        """What was opened is recorded, beside what was before, and taken back by the same names."""
        step = judge(Rules(DROPS, None, nft("drop")), "/script", 15678, Record(firewall=("ip a b", ""))).step
        assert step is not None
        self.assertEqual(step.record, {"firewall": ("ip a b", "", "inet filter input")})
        undo = judge_undo("/script", Record(firewall=("", "inet filter input")))
        self.assertEqual(self.commands(undo), ["/script remove", "/script remove --nft inet filter input"])
        self.assertEqual(self.commands(judge_undo("/script", Record())), [])
        self.assertIn("stay", judge_undo(None, Record(firewall=("",))).note)
