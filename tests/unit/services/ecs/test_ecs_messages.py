"""What AWS's services say of themselves, word for word: each message is said here too, or it says why not.

The list is the project's checklist (section "Service event messages"), not the code. That each is really said by some
path is found out by looking for who calls its words, and, for those that a small world can bring about, by doing so.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from hatoba.placement import Needs, Refusal
from hatoba.services.ecs.plan.rollout import words

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"
ECS = Path(__file__).parents[4] / "src" / "hatoba" / "services" / "ecs"
DEPLOYMENT = "ecs-svc/1234567890123456789"
PLACE = "was unable to place a task because no container instance met all of its requirements."


def refusal(lack: Any) -> Refusal:
    needs = Needs(cpu=256, memory=512 << 20)
    return Refusal(needs=needs, lacking={lack: ("i-1",)} if lack else {}, closest=("i-1", lack) if lack else None)


# By who says it: what is said, after "(service web) ".
SAID: list[tuple[str, str, str]] = [
    ("STEADY", words.STEADY, "has reached a steady state."),
    ("started", words.started(["a", "b"]), "has started 2 tasks: (task a) (task b)."),
    ("stopped", words.stopped(["a"]), "has stopped 1 running tasks: (task a)."),
    ("draining", words.draining(3), "has begun draining connections on 3 tasks."),
    ("registered", words.registered(2, GROUP), f"registered 2 targets in (target-group {GROUP})"),
    ("deregistered", words.deregistered(1, GROUP), f"deregistered 1 targets in (target-group {GROUP})"),
    ("completed", words.completed(DEPLOYMENT), f"(deployment {DEPLOYMENT}) deployment completed."),
    ("failed", words.failed(DEPLOYMENT), f"(deployment {DEPLOYMENT}) deployment failed: tasks failed to start."),
    ("rolling_back", words.rolling_back(DEPLOYMENT), f"rolling back to deployment {DEPLOYMENT}."),
    ("unhealthy_container", words.unhealthy_container("a"), "(task a) failed container health checks."),
    ("CONSISTENTLY_FAILING", words.CONSISTENTLY_FAILING, "is unable to consistently start tasks successfully."),
    (
        "STUCK",
        words.STUCK,
        "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update "
        "the minimumHealthyPercent or maximumPercent value and try again.",
    ),
    (
        "protected",
        words.protected("ecs-svc/1"),
        "was unable to reach steady state because task set (ecs-svc/1) was unable to scale in. Reason: The number of "
        "protected tasks are more than the desired count of tasks.",
    ),
    (
        "not_started",
        words.not_started("CannotPullContainerError: manifest unknown"),
        "was unable to place a task. Reason: CannotPullContainerError: manifest unknown.",
    ),
    (
        "unplaced",
        words.unplaced("EC2", refusal(None)),
        f"{PLACE} Reason: No Container Instances were found in your cluster.",
    ),
]

# What begins so, and goes on in our own words: which nodes lack what.
BEGINS: list[tuple[str, str]] = [
    (
        words.unplaced("FARGATE", refusal("cpu")),
        "was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a "
        "different availability zone",
    ),
    *(
        (words.unplaced("EC2", refusal(lack)), f"{PLACE} The closest matching (container-instance i-1) {said}")
        for lack, said in (
            ("cpu", "has insufficient CPU units available."),
            ("memory", "has insufficient memory available."),
            ("ports", "is already using a port required by your task."),
            ("architecture", "is missing an attribute required by your task."),
            ("lost", 'encountered error "AGENT".'),
        )
    ),
]

# What AWS says of limits that there are none of here, or of services that are not there.
NOT_SAID = {
    "operations are being throttled. Will try again later.": "rooms do not throttle each other",
    "You've reached the limit on the number of vCPUs you can run concurrently": "there is no such limit",
    "The requested CPU configuration is above your limit.": "there is no such limit",
    "The requested MEMORY configuration is above your limit.": "there is no such limit",
    "Internal error.": "a controller that fails is in the log and in /_hatoba/health, and tries again",
    "task set T is not healthy in target-group G due to TARGET GROUP IS NOT FOUND.": "a target group that is gone is "
    "said when its targets cannot be registered",
}


@pytest.mark.parametrize(("who", "said", "expected"), SAID, ids=[who for who, _, _ in SAID])
def test_what_is_said_is_said_in_awss_words(who: str, said: str, expected: str) -> None:
    assert said == expected


@pytest.mark.parametrize(("said", "expected"), BEGINS)
def test_refusals_begin_in_awss_words_and_go_on_in_ours(said: str, expected: str) -> None:
    assert said.startswith(expected)
    assert said.endswith(".")


def test_an_unhealthy_target_says_where_and_why() -> None:
    """AWS names the instance; of targets by address, it is the task that is known."""
    why = "Health checks failed with these codes: [502]"
    said = words.unhealthy_target("a", 8080, GROUP, why)
    assert said == f"(task a) (port 8080) is unhealthy in (target-group {GROUP}) due to (reason {why})."


def callers() -> set[str]:
    """The words of `rollout/words` that something outside of it uses."""
    used: set[str] = set()
    for path in ECS.rglob("*.py"):
        if path.name != "words.py":
            used |= {
                node.attr
                for node in ast.walk(ast.parse(path.read_text()))
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "words"
            }
    return used


def test_nothing_is_worded_that_nobody_says() -> None:
    tree = ast.parse((ECS / "plan" / "rollout" / "words.py").read_text())
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    worded = {node.name for node in tree.body if isinstance(node, ast.FunctionDef) if not node.name.startswith("_")}
    worded |= {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and not target.id.startswith("_")
    }
    assert worded - callers() - own == set()


def test_each_message_of_the_table_has_somebody_who_says_it() -> None:
    assert {who for who, _, _ in SAID} <= callers()


def test_what_is_not_said_has_a_reason_and_is_not_said() -> None:
    text = (ECS / "plan" / "rollout" / "words.py").read_text()
    for message, why in NOT_SAID.items():
        assert why
        assert message not in text
