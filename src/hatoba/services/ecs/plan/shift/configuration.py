"""The model's DeploymentConfiguration as far as it is about strategies: checked, and read as the course of a shift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.model.shift import SHIFTING, Strategy

LONGEST_BAKE = 1440  # minutes
LONGEST_TIMEOUT = 20160
DEFAULT_TIMEOUT = 1440
_OF_STRATEGY = {"linearConfiguration": "LINEAR", "canaryConfiguration": "CANARY"}
_NEVER_PAUSED = ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT")


class Course(NamedTuple):
    """What a shift does: production traffic in steps (percent), times in seconds."""

    steps: tuple[float, ...]
    step_bake: float
    bake: float
    hooks: tuple[Mapping[str, Any], ...]  # the model's DeploymentLifecycleHooks


def course(configuration: Mapping[str, Any], *, first: bool) -> Course:
    """`first`: there is nobody to take traffic from, and nothing to go back to: no steps, and nothing to wait for."""
    hooks = tuple(configuration.get("lifecycleHooks") or ())
    if first:
        return Course((100.0,), 0.0, 0.0, hooks)
    steps: tuple[float, ...] = (100.0,)
    step_bake = 0
    match configuration.get("strategy"):
        case "LINEAR":
            linear = configuration["linearConfiguration"]
            steps, step_bake = _linear(linear["stepPercent"]), linear["stepBakeTimeInMinutes"]
        case "CANARY":
            canary = configuration["canaryConfiguration"]
            steps = tuple(dict.fromkeys((canary["canaryPercent"], 100.0)))
            step_bake = canary["canaryBakeTimeInMinutes"]
    return Course(steps, step_bake * 60.0, (configuration.get("bakeTimeInMinutes") or 0) * 60.0, hooks)


def _linear(percent: float) -> tuple[float, ...]:
    """In tenths of a percent, so that the sums are exact."""
    tenths = round(percent * 10)
    return (*(at / 10 for at in range(tenths, 1000, tenths)), 100.0)


def checked(now: Mapping[str, Any], given: Mapping[str, Any], *, daemon: bool, minimum: int) -> dict[str, Any]:
    """What was configured with what is given now, complete; members that belong to another strategy are let go of.

    Raises InvalidParameterException. `minimum`: the minimumHealthyPercent that goes with it.
    """
    wanted: dict[str, Any] = {**now, **given}
    strategy = wanted.get("strategy", "ROLLING")
    _check_times(wanted)
    if daemon and strategy != "ROLLING":
        raise _invalid(f"The daemon scheduling strategy does not support the {strategy} deployment strategy.")
    for member, of in _OF_STRATEGY.items():
        if member in given and strategy != of:
            raise _invalid(f"{member} is only valid when the deployment strategy is {of}.")
        if strategy != of:
            wanted.pop(member, None)
    if strategy == "LINEAR":
        wanted["linearConfiguration"] = _steps(wanted.get("linearConfiguration"), "step", 3.0, 10.0, 6)
    if strategy == "CANARY":
        wanted["canaryConfiguration"] = _steps(wanted.get("canaryConfiguration"), "canary", 0.1, 5.0, 10)
    if strategy in SHIFTING:
        _not_with(given, "earlySuccessCriteria", "the ROLLING deployment strategy", enabled=True)
        wanted.pop("earlySuccessCriteria", None)
        for hook in wanted.get("lifecycleHooks") or ():
            _check_hook(hook)
    else:
        _not_with(given, "lifecycleHooks", f"the deployment strategies {', '.join(SHIFTING)}")
        wanted.pop("lifecycleHooks", None)
        _check_early(wanted.get("earlySuccessCriteria"), minimum, daemon=daemon)
    _check_alarms(wanted.get("alarms"))
    return wanted


def shifting(configuration: Mapping[str, Any]) -> Strategy | None:
    """The strategy, when it is one that shifts traffic."""
    strategy = configuration.get("strategy", "ROLLING")
    return cast(Strategy, strategy) if strategy in SHIFTING else None


def _invalid(text: str) -> t.InvalidParameterException:
    return t.InvalidParameterException(text)


def _check_times(wanted: Mapping[str, Any]) -> None:
    bake = wanted.get("bakeTimeInMinutes")
    if bake is not None and not 0 <= bake <= LONGEST_BAKE:
        raise _invalid(f"bakeTimeInMinutes must be between 0 and {LONGEST_BAKE}.")


def _steps(given: Mapping[str, Any] | None, name: str, least: float, percent: float, bake: int) -> dict[str, Any]:
    """A linear or canary configuration with its defaults."""
    member, time = f"{name}Percent", f"{name}BakeTimeInMinutes"
    complete = {member: percent, time: bake, **(given or {})}
    asked = float(complete[member])
    if not least <= asked <= 100.0 or abs(asked * 10 - round(asked * 10)) > 1e-6:
        raise _invalid(f"{member} must be a multiple of 0.1 between {least} and 100.0.")
    if not 0 <= complete[time] <= LONGEST_BAKE:
        raise _invalid(f"{time} must be between 0 and {LONGEST_BAKE}.")
    return {**complete, member: round(asked, 1)}


def _not_with(given: Mapping[str, Any], member: str, only: str, *, enabled: bool = False) -> None:
    value = given.get(member)
    if value and (not enabled or value.get("enable")):
        raise _invalid(f"{member} can only be used with {only}.")


def _check_hook(hook: Mapping[str, Any]) -> None:
    stages: Sequence[str] = hook.get("lifecycleStages") or ()
    if not stages:
        raise _invalid("A lifecycle hook must have lifecycleStages.")
    timeout = (hook.get("timeoutConfiguration") or {}).get("timeoutInMinutes", DEFAULT_TIMEOUT)
    if not 1 <= timeout <= LONGEST_TIMEOUT:
        raise _invalid(f"timeoutInMinutes must be between 1 and {LONGEST_TIMEOUT}.")
    if hook.get("targetType", "AWS_LAMBDA") == "PAUSE":
        never = [stage for stage in stages if stage in _NEVER_PAUSED]
        if never:
            raise _invalid(f"A PAUSE lifecycle hook cannot be configured at {never[0]}.")
        if hook.get("hookTargetArn"):
            raise _invalid("A PAUSE lifecycle hook has no hookTargetArn.")
        return
    for member in ("hookTargetArn", "roleArn"):
        if not hook.get(member):
            raise _invalid(f"An AWS_LAMBDA lifecycle hook must have a {member}.")
    if ":lambda:" not in hook["hookTargetArn"]:
        raise _invalid(f"{hook['hookTargetArn']} is not the ARN of a Lambda function.")


def _check_early(criteria: Mapping[str, Any] | None, minimum: int, *, daemon: bool) -> None:
    if not criteria or not criteria.get("enable"):
        return
    if daemon:
        raise _invalid("The daemon scheduling strategy does not support earlySuccessCriteria.")
    percent = criteria.get("healthyPercent")
    if percent is None or not criteria.get("sourceServiceRevisionCleanup"):
        raise _invalid("earlySuccessCriteria need a healthyPercent and a sourceServiceRevisionCleanup.")
    if not minimum <= percent <= 100:
        raise _invalid("healthyPercent must be at least minimumHealthyPercent and at most 100.")


def _check_alarms(alarms: Mapping[str, Any] | None) -> None:
    if alarms and alarms["enable"] and not alarms["alarmNames"]:
        raise _invalid("Deployment alarms that are enabled need alarmNames.")
