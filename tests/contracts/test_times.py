"""Times that different rooms have, and that must fit each other."""

from pacserve.claims.claims import LEASE
from pacserve.claims.keepers import ROUND_BUDGET
from pacserve.fetch.gathering import LONG_PAUSE
from pacserve.transfer.download import LEADER_STALL_TIMEOUT
from pacserve.transfer.leader_search import LEADER_PROGRESS_TIMEOUT


def test_claim_of_a_leader_that_has_gone() -> None:
    """Who hears nothing of its leader asks when the claim has ended, however late it read the last bytes, and has time for one more leader."""
    assert LEADER_STALL_TIMEOUT > LEASE + 2 * LONG_PAUSE
    assert LEADER_STALL_TIMEOUT + ROUND_BUDGET < LEADER_PROGRESS_TIMEOUT
