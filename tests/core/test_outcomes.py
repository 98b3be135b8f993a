from __future__ import annotations

import re

from graphschedule.outcomes import PERMANENT_EXIT_CODES, Outcome, SlotState


def test_a_success_exits_0_and_a_failure_in_the_range_left_to_programs() -> None:
    """Codes from 126 on belong to shells and signals; the interpreter uses 1 and 2."""
    for outcome in Outcome:
        succeeded = outcome.state is not SlotState.FAILED
        assert outcome.exit_code == 0 if succeeded else 64 <= outcome.exit_code < 126


def test_each_failure_has_an_exit_code_of_its_own() -> None:
    codes = [outcome.exit_code for outcome in Outcome if outcome.exit_code]
    assert len(set(codes)) == len(codes)


def test_reasons_are_stable_words_and_all_different() -> None:
    reasons = [outcome.reason for outcome in Outcome]
    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", reason) for reason in reasons)


def test_only_failures_that_a_retry_cannot_help_are_permanent() -> None:
    assert PERMANENT_EXIT_CODES == (64, 65, 66, 67, 68, 69, 70)
    assert Outcome.TRANSIENT.exit_code not in PERMANENT_EXIT_CODES
    assert all(outcome.state is SlotState.FAILED for outcome in Outcome if outcome.permanent)
