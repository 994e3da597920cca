"""The runs of lifecycle hooks: which a stage begins, and what they come to. All hooks of a stage run side by side.

What a function is told, as the developer guide has it: weights only in the two stages that shift traffic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from hatoba.services.ecs.model import arns
from hatoba.services.ecs.model.hook import Hook, hooks
from hatoba.services.ecs.model.service import Service
from hatoba.services.ecs.model.service_deployment import ServiceDeployment
from hatoba.services.ecs.model.shift import Shift, Stage, Traffic
from hatoba.services.ecs.plan.shift.configuration import DEFAULT_TIMEOUT

SHIFTS: tuple[Stage, ...] = ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")
Outcome = Literal["none", "waiting", "done", "failed"]


def configured(shift: Shift, hooks: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """Those of the present stage, with their places in the configuration. On the way back only shifts have any."""
    if shift.back and shift.stage not in SHIFTS:
        return []
    return [(number, hook) for number, hook in enumerate(hooks) if shift.stage in hook["lifecycleStages"]]


def present(shift: Shift, runs: Sequence[Hook]) -> list[Hook]:
    at = (shift.stage, shift.step, shift.back)
    return [run for run in runs if (run.stage, run.step, run.back) == at]


def outcome(shift: Shift, hooks: Sequence[Mapping[str, Any]], runs: Sequence[Hook]) -> Outcome:
    """`none`: they are still to begin. On the way back nothing that a hook says changes the way."""
    if not configured(shift, hooks):
        return "done"
    found = present(shift, runs)
    if not found:
        return "none"
    if not shift.back and any(_failed(run) for run in found):
        return "failed"
    return "waiting" if any(run.under_way for run in found) else "done"


def reason(shift: Shift, runs: Sequence[Hook]) -> str:
    """Why the first of them failed."""
    run = next(run for run in present(shift, runs) if _failed(run))
    who = f"the lifecycle hook {run.hook} at {run.stage}"
    return f"{who} timed out." if run.status == "TIMED_OUT" else f"{who} failed: {run.reason.rstrip('.')}."


def _failed(run: Hook) -> bool:
    return run.status == "FAILED" or (run.status == "TIMED_OUT" and run.action == "ROLLBACK")


def begin(
    service: Service, story: ServiceDeployment, shift: Shift, runs: Sequence[Hook], now: float
) -> tuple[Hook, ...]:
    """The runs of the stage. Their ids follow from what they are, so that beginning twice finds the first."""
    made: list[Hook] = []
    for number, hook in configured(shift, story.configuration.get("lifecycleHooks") or ()):
        at = (story.id, shift.stage, str(shift.step), str(shift.back), str(number))
        id_ = arns.derived_uuid(*at)
        timeout: Mapping[str, Any] = hook.get("timeoutConfiguration") or {}
        kind = hook.get("targetType", "AWS_LAMBDA")
        made.append(
            Hook(
                key=hooks.key(story.scope, f"{story.id}/{id_}"),
                deployment=story.id,
                ordinal=len(runs) + len(made) + 1,
                stage=shift.stage,
                step=shift.step,
                back=shift.back,
                type=kind,
                target=hook.get("hookTargetArn", ""),
                role=hook.get("roleArn", ""),
                event=_event(service, story, shift, id_, hook) if kind == "AWS_LAMBDA" else {},
                expires_at=now + 60.0 * timeout.get("timeoutInMinutes", DEFAULT_TIMEOUT),
                action=timeout.get("action", "ROLLBACK"),
                status="AWAITING_ACTION" if kind == "PAUSE" else "IN_PROGRESS",
                call_at=now if kind == "AWS_LAMBDA" else None,
            )
        )
    return tuple(made)


def _event(
    service: Service, story: ServiceDeployment, shift: Shift, id_: str, hook: Mapping[str, Any]
) -> dict[str, Any]:
    traffic = shift.traffic or Traffic(0.0, 0.0)
    test = shift.stage == "TEST_TRAFFIC_SHIFT"
    production = shift.stage == "PRODUCTION_TRAFFIC_SHIFT"
    return {
        "executionDetails": {
            "testTrafficWeights": _weights(story, shift, traffic.test) if test else {},
            "productionTrafficWeights": _weights(story, shift, traffic.production) if production else {},
            "serviceArn": service.arn,
            "targetServiceRevisionArn": _revision(story, story.target),
        },
        "executionId": id_,
        "lifecycleStage": shift.stage,
        "resourceArn": story.arn,
        "hookDetails": hook.get("hookDetails") or {},
    }


def _weights(story: ServiceDeployment, shift: Shift, green: float) -> dict[str, float]:
    told = {_revision(story, shift.blue): 100.0 - green} if shift.blue else {}
    return {**told, _revision(story, story.target): green}


def _revision(story: ServiceDeployment, number: str) -> str:
    return arns.service_revision_arn(story.scope, f"{story.service}/{number}")
