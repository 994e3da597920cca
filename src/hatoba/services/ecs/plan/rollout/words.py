"""What a service says of itself, word for word as AWS does; where AWS has no words (what it does not do), in ours.

`(service <name>) ` is put before by whoever keeps it.
"""

from __future__ import annotations

from collections.abc import Sequence

from hatoba.placement import Refusal

STEADY = "has reached a steady state."
CONSISTENTLY_FAILING = "is unable to consistently start tasks successfully."
STUCK = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the "
    "minimumHealthyPercent or maximumPercent value and try again."
)


def protected(task_set: str) -> str:
    return (
        f"was unable to reach steady state because task set ({task_set}) was unable to scale in. Reason: The number of "
        "protected tasks are more than the desired count of tasks."
    )


def _tasks(ids: Sequence[str]) -> str:
    return " ".join(f"(task {id_})" for id_ in ids)


def started(ids: Sequence[str], unhealthy: int = 0) -> str:
    """`unhealthy`: so many take the place of one that is not healthy."""
    why = f" Amazon ECS replaced {unhealthy} tasks due to an unhealthy status." if unhealthy else ""
    return f"has started {len(ids)} tasks: {_tasks(ids)}.{why}"


def stopped(ids: Sequence[str]) -> str:
    return f"has stopped {len(ids)} running tasks: {_tasks(ids)}."


def stopped_pending(count: int) -> str:
    return f"stopped {count} pending tasks."


def draining(count: int) -> str:
    return f"has begun draining connections on {count} tasks."


def registered(count: int, group: str) -> str:
    return f"registered {count} targets in (target-group {group})"


def deregistered(count: int, group: str) -> str:
    return f"deregistered {count} targets in (target-group {group})"


def not_refreshed(task: str, why: str) -> str:
    return f"was unable to refresh the secret files of (task {task}), which stay as they are: {why}"


def rolled(changed: Sequence[str]) -> str:
    return f"deploys anew because what its tasks were started with has changed: {', '.join(changed)}."


def not_watched(why: str) -> str:
    return f"cannot tell whether what its tasks were started with has changed: {why}"


def not_rolled(changed: Sequence[str], why: str) -> str:
    return f"was unable to deploy anew after a change of {', '.join(changed)}: {why}"


def completed(deployment: str) -> str:
    return f"(deployment {deployment}) deployment completed."


def failed(deployment: str) -> str:
    return f"(deployment {deployment}) deployment failed: tasks failed to start."


def not_registered(group: str, error: str) -> str:
    return f"was unable to register targets in (target-group {group}): {error}"


def rolling_back(deployment: str) -> str:
    return f"rolling back to deployment {deployment}."


def failed_because(deployment: str, why: str) -> str:
    return f"(deployment {deployment}) deployment failed: {why.rstrip('.')}."


def entered(deployment: str, stage: str) -> str:
    return f"(deployment {deployment}) entered the lifecycle stage {stage}."


def paused(deployment: str, stage: str, hook: str) -> str:
    return (
        f"(deployment {deployment}) is paused at the lifecycle stage {stage} until ContinueServiceDeployment decides "
        f"on the lifecycle hook {hook}."
    )


def shifted(deployment: str, production: float, test: float) -> str:
    return (
        f"(deployment {deployment}) has {production:g} percent of production traffic and {test:g} percent of test "
        "traffic."
    )


def not_shifted(rule: str, error: str) -> str:
    return f"was unable to shift traffic (listener rule {rule}): {error}"


def alarms_unread(deployment: str, trouble: str) -> str:
    return f"(deployment {deployment}) is not watched by all of its CloudWatch alarms: {trouble}"


def unhealthy_container(task: str) -> str:
    return f"(task {task}) failed container health checks."


def unhealthy_target(task: str, port: int, group: str, why: str) -> str:
    reason = why or "Health checks failed"
    return f"(task {task}) (port {port}) is unhealthy in (target-group {group}) due to (reason {reason})."


NO_CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"

_LACKING = {
    "cpu": "has insufficient CPU units available.",
    "memory": "has insufficient memory available.",
    "ports": "is already using a port required by your task.",
    "architecture": "is missing an attribute required by your task.",
    "feature": "is missing an attribute required by your task.",
    "gpu": "has insufficient GPU resource available.",
    "condition": 'encountered error "MemberOf placement constraint unsatisfied.".',
    "distinct": 'encountered error "DistinctInstance placement constraint unsatisfied.".',
}


def unplaced(launch_type: str, refusal: Refusal) -> str:
    """AWS's words, and then ours: which nodes lack what."""
    if launch_type == "FARGATE":
        return f"was unable to place a task. Reason: {NO_CAPACITY} ({refusal.words()})."
    why = "was unable to place a task because no container instance met all of its requirements."
    if refusal.closest is None:
        return f"{why} Reason: No Container Instances were found in your cluster."
    node, lack = refusal.closest
    lacking = _LACKING.get(lack, 'encountered error "AGENT".')
    return f"{why} The closest matching (container-instance {node}) {lacking} Reason: {refusal.words()}."


_NOT_STARTED = "was unable to place a task. Reason: "


def not_started(reason: str) -> str:
    return f"{_NOT_STARTED}{reason}."


def is_failure(message: str) -> bool:
    """It says why tasks do not start."""
    return message == CONSISTENTLY_FAILING or message.startswith(_NOT_STARTED)


# rolloutStateReason


def in_progress(deployment: str) -> str:
    return f"ECS deployment {deployment} in progress."


def is_completed(deployment: str) -> str:
    return f"ECS deployment {deployment} completed."


DELETED = "Service deployment stopped because the service is being deleted."
TASKS_FAILED = "Service deployment failed because the circuit breaker threshold was exceeded."
ROLLED_BACK = "Service deployment rolled back because the circuit breaker threshold was exceeded."
ROLLED_BACK_BY_USER = "Service deployment rolled back because StopServiceDeployment asked for it."
STOPPED_BY_USER = "Service deployment stopped because StopServiceDeployment asked for it."
BREAKER = "ECS deployment circuit breaker: tasks failed to start."


def alarmed(names: Sequence[str]) -> str:
    return f"the CloudWatch alarm {', '.join(names)} is in the ALARM state."


def stopped_because(why: str) -> str:
    return f"Service deployment stopped because {why}"


def rolled_back_because(why: str) -> str:
    return f"Service deployment rolled back because {why}"


def going_back(deployment: str, why: str) -> str:
    return f"ECS deployment rolling back to deploymentId {deployment}: {why}"


def user_rolling_back(deployment: str) -> str:
    return f"ECS deployment stopped by StopServiceDeployment: rolling back to deploymentId {deployment}."


def breaker_rolling_back(deployment: str) -> str:
    return f"ECS deployment circuit breaker: rolling back to deploymentId {deployment}."
