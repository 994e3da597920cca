"""A scenario: the fleet, how images behave, and what is done, step by step. Read from TOML or JSON.

Machines ([[nodes]]) are records, with CPU in units and memory in MiB. Images that are not named start and stay. A step
is one call of the ECS API with its own members, or machines that die, come back or join; it lasts until everything has
settled, or for the time that it says. `with` may be the name of a JSON file beside the scenario: a task definition or a
service as the AWS CLI takes it. examples/what-if.toml is one to begin with.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from hatoba.core.errors import Refused

MOST_TASKS = 5_000  # of one service: ECS's own limit
MOST_STEPS = 10_000
NAMING = ("serviceName", "service", "family", "clusterName")  # members that say what a call is about


class Machines(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many equal machines. CPU in units (1,024 are a core), memory in MiB."""

    count: int
    cpu: int = 16 * 1024
    memory: int = 64 * 1024
    architecture: str = "x86_64"
    attributes: dict[str, str] = {}


class Image(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How containers of an image behave. Seconds."""

    pull: float = 2.0  # the first time on a machine
    starts: float = 0.05
    ends: float | None = None  # after so long by itself; None: never
    code: int = 0  # with which it ends by itself
    stops: float = 0.5  # from SIGTERM to its end


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of: a call of the API, machines that die (`lose`), machines that come (`join`), machines that come back."""

    call: str = ""
    params: dict[str, Any] | str = msgspec.field(name="with", default_factory=dict)
    times: int = 1  # the call is made so often; "{n}" in its words counts from 1
    lose: int = 0
    back: int = 0
    join: Machines | None = None
    within: float | None = None  # seconds; None: until everything has settled

    @property
    def title(self) -> str:
        if self.call:
            named = self.params if isinstance(self.params, dict) else {}
            name = next((str(named[key]) for key in NAMING if key in named), "")
            return " ".join(part for part in (self.call, name, f"×{self.times}" if self.times > 1 else "") if part)
        if self.lose:
            return f"{self.lose} machines die"
        if self.back:
            return f"{self.back} machines come back"
        if self.join:
            return f"{self.join.count} machines join"
        return "wait"


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    nodes: tuple[Machines, ...]
    steps: tuple[Step, ...]
    images: dict[str, Image] = {}
    seed: int = 0
    region: str = "us-east-1"
    patience: float = 3_600.0  # virtual seconds after which a step that does not settle is given up


def read(path: Path) -> Scenario:
    """Raises `Refused` with what is wrong in it."""
    try:
        text = path.read_bytes()
        decode = msgspec.json.decode if path.suffix == ".json" else msgspec.toml.decode
        scenario = decode(text, type=Scenario)
        steps = tuple(_with_file(step, path.parent) for step in scenario.steps)
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}.") from None
    except (msgspec.DecodeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise Refused(f"{path}: {error}.") from None
    return checked(msgspec.structs.replace(scenario, steps=steps))


def _with_file(step: Step, folder: Path) -> Step:
    if isinstance(step.params, dict):
        return step
    return msgspec.structs.replace(step, params=json.loads((folder / step.params).read_text()))


def checked(scenario: Scenario) -> Scenario:
    if not scenario.nodes or min(machines.count for machines in scenario.nodes) < 1:
        raise Refused("A scenario needs machines: [[nodes]] with a count of at least 1.")
    for number, step in enumerate(scenario.steps, 1):
        deeds = [bool(step.call), step.lose > 0, step.back > 0, step.join is not None]
        if sum(deeds) > 1 or (not any(deeds) and step.within is None):
            raise Refused(f"Step {number} must be one of: call, lose, back, join; or only a time within which to look.")
        if not 1 <= step.times <= MOST_STEPS:
            raise Refused(f"Step {number}: times must be between 1 and {MOST_STEPS}.")
    return scenario


def plain(nodes: int, tasks: int, seed: int) -> Scenario:
    """Services of up to 5,000 tasks each on equal machines, spread over zones and packed by memory."""
    container = {"name": "main", "image": "localhost:4566/main:1", "cpu": 256, "memory": 512, "essential": True}
    definition = {"family": "main", "networkMode": "host", "containerDefinitions": [container]}
    service = {
        "serviceName": "service-{n}",
        "taskDefinition": "main",
        "launchType": "EC2",
        "placementStrategy": [
            {"type": "spread", "field": "attribute:ecs.availability-zone"},
            {"type": "binpack", "field": "memory"},
        ],
    }
    whole, rest = divmod(tasks, MOST_TASKS)
    steps = [Step(call="CreateCluster"), Step(call="RegisterTaskDefinition", params=definition)]
    if whole:
        steps.append(Step(call="CreateService", params={**service, "desiredCount": MOST_TASKS}, times=whole))
    if rest:
        steps.append(Step(call="CreateService", params={**service, "serviceName": "rest", "desiredCount": rest}))
    steps += [Step(lose=max(1, nodes // 100)), Step(back=max(1, nodes // 100))]
    return checked(Scenario(nodes=(Machines(count=nodes),), steps=tuple(steps), seed=seed))
