"""What a target's answers say about it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hatoba.proxy.base import HealthCheck
from hatoba.proxy.health import Answered, Failed, Progress, Result, TimedOut, advance

GOOD = Answered(code=200)
REFUSED = Failed(why="refused")
SETTINGS = HealthCheck(
    interval=5.0, timeout=2.0, healthy_threshold=3, unhealthy_threshold=2, codes=((200, 204), (301, 301))
)

results: st.SearchStrategy[Result] = st.sampled_from(
    [GOOD, Answered(code=301), Answered(code=500), Answered(code=205), TimedOut(), REFUSED]
)


def run(answers: list[Result], progress: Progress | None = None) -> list[Progress]:
    """Each answer comes when the machine asked for it."""
    progress = progress or Progress(since=0.0)
    now, story = progress.since, [progress]
    for answer in answers:
        progress, delay = advance(progress, answer, SETTINGS, now)
        now += delay
        story.append(progress)
    return story


def states(story: list[Progress]) -> list[str]:
    return [each.health.state for each in story]


def test_one_success_makes_a_new_target_healthy() -> None:
    assert states(run([GOOD])) == ["initial", "healthy"]


def test_a_new_target_that_starts_slowly_is_asked_often_and_not_condemned() -> None:
    story = run([REFUSED] * 10 + [GOOD])
    assert states(story) == ["initial"] * 11 + ["healthy"]
    assert story[1].health.text == "Initial health checks in progress"


def test_a_new_target_is_asked_again_within_a_fifth_of_a_second_during_its_first_seconds() -> None:
    _, delay = advance(Progress(since=0.0), REFUSED, SETTINGS, 1.9)
    assert 0.1 <= delay <= 0.2


def test_a_new_target_that_never_answers_is_unhealthy_after_the_threshold_of_intervals() -> None:
    progress, now = Progress(since=0.0), 0.0
    while progress.health.state == "initial" and now < 60:
        progress, delay = advance(progress, REFUSED, SETTINGS, now)
        now += delay
    assert progress.health.state == "unhealthy"
    assert 5.0 < now <= 5.0 + 0.6 + SETTINGS.interval  # failures count at 0 s and once more an interval later


@pytest.mark.parametrize(
    ("result", "reason", "text"),
    [
        (Answered(code=502), "code_mismatch", "Health checks failed with these codes: [502]"),
        (TimedOut(), "timeout", "Request timed out"),
        (REFUSED, "failed", "Health checks failed"),
    ],
)
def test_why_a_target_is_unhealthy(result: Result, reason: str, text: str) -> None:
    last = run([GOOD, result, result])[-1].health
    assert (last.state, last.reason, last.text) == ("unhealthy", reason, text)


def test_an_unhealthy_target_tells_its_newest_reason() -> None:
    assert run([GOOD, REFUSED, REFUSED, Answered(code=503)])[-1].health.text.endswith("[503]")


def test_a_target_recovers_after_the_healthy_threshold_in_a_row() -> None:
    story = run([GOOD, REFUSED, REFUSED, GOOD, GOOD, REFUSED, GOOD, GOOD, GOOD])
    assert states(story)[3:] == ["unhealthy"] * 6 + ["healthy"]


def test_any_answer_counts_where_a_connection_is_all_that_is_asked() -> None:
    settings = HealthCheck(protocol="TCP", codes=((200, 200),))
    assert advance(Progress(since=0.0), Answered(code=0), settings, 0.0)[0].health.state == "healthy"


@given(st.lists(results, max_size=40))
def test_a_single_failure_never_condemns_and_a_single_success_never_pardons(answers: list[Result]) -> None:
    story = run(answers)
    for before, answer, after in zip(story, answers, story[1:], strict=False):
        if before.health.state != after.health.state:
            good = answer == GOOD or answer == Answered(code=301)
            assert (after.health.state == "healthy") == good
            if before.health.state == "healthy":
                assert before.failures == SETTINGS.unhealthy_threshold - 1
            if before.health.state == "unhealthy":
                assert before.successes == SETTINGS.healthy_threshold - 1


@given(st.lists(results, max_size=40))
def test_health_never_returns_to_initial_and_counters_are_bounded(answers: list[Result]) -> None:
    story = run(answers)
    left = False
    for each in story:
        left = left or each.health.state != "initial"
        assert not (left and each.health.state == "initial")
        assert 0 <= each.successes <= SETTINGS.healthy_threshold
        assert 0 <= each.failures <= SETTINGS.unhealthy_threshold
        assert each.successes == 0 or each.failures == 0


@given(st.lists(results, min_size=1, max_size=40), st.floats(min_value=0, max_value=1e6))
def test_nobody_is_asked_in_a_busy_loop_nor_forgotten(answers: list[Result], start: float) -> None:
    progress, now = Progress(since=start), start
    for answer in answers:
        progress, delay = advance(progress, answer, SETTINGS, now)
        assert 0.1 <= delay <= SETTINGS.interval
        now += delay
