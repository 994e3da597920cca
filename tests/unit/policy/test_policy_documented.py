"""The documentation's own examples, decided as it says: see `documented.py` for how `decisions/` is written."""

from __future__ import annotations

import pytest

from tests.unit.policy.documented import FOLDER, Case, cases, decided

CASES = [case for path in sorted(FOLDER.glob("*.txt")) for case in cases(path)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.line} {case.title}")
def test_decided_as_documented(case: Case) -> None:
    decision = decided(case)
    verdict = "allowed" if decision.allowed else "explicit" if decision.explicit else "implicit"
    by = str(decision.by or "-").removesuffix(" policy")
    assert (verdict, by) == (case.verdict, case.by), f"line {case.line}: {case.title}"


def test_there_are_many_and_each_is_cited() -> None:
    assert len(CASES) >= 300
    assert all(case.title for case in CASES)
