"""The step machine against a world that fails, forgets, repeats and races.

The world does what it is told, late, twice or not at all; containers end by themselves, also before the answer to their
launch; the agent restarts at any point. After every event the machine's promises are checked, and at the end, when
nothing fails any more, nothing may be left.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hatoba.core.records import replace
from hatoba.fleet.model import DependsOn, Workload
from hatoba.node import events as step
from hatoba.node.advance import advance
from hatoba.node.events import Instruction
from hatoba.node.held import Held, begin
from tests.unit.node.pieces import container, workload

RANK = {name: n for n, name in enumerate(("pending", "pulling", "pulled", "created", "running", "stopped"))}
STATE = {name: n for n, name in enumerate(("pending", "starting", "running", "stopping", "stopped"))}
NAMES = ("a", "b", "c")


@st.composite
def workloads(draw: Any) -> Workload:
    containers = []
    for number, name in enumerate(NAMES[: draw(st.integers(1, 3))]):
        needs = tuple(
            DependsOn(container=other, condition=draw(st.sampled_from(["START", "COMPLETE", "SUCCESS", "HEALTHY"])))
            for other in NAMES[:number]
            if draw(st.booleans())
        )
        essential = (number == 0 and not needs) or draw(st.booleans())
        timeout = draw(st.sampled_from([None, 5.0]))
        restart: dict[str, Any] = {}
        if draw(st.booleans()):
            restart = {"restart_after": draw(st.sampled_from([0.0, 3.0])), "restart_not": (0,)}
        containers.append(container(name, essential=essential, depends_on=needs, start_timeout=timeout, **restart))
    place: dict[str, Any] = {} if draw(st.booleans()) else {"network": None, "interface": None}
    return workload("t", *containers, **place)


class Node(RuleBasedStateMachine):
    @initialize(wanted=workloads())
    def start(self, wanted: Workload) -> None:
        self.now = 1000.0
        self.wanted = wanted
        self.told: list[Instruction] = []  # and not yet answered
        self.network = wanted.interface is None
        self.running: set[str] = set()
        self.ended: dict[str, step.Exited] = {}  # there, but over
        self.since: dict[str, float] = {}  # when its process was started
        self.started: set[str] = set()
        self.codes: dict[str, int] = {}  # of all that ever ended
        self.healthy: set[str] = set()
        self.mail: list[step.Event] = []  # true, but not yet delivered
        self.held = begin(wanted)
        self.emit(step.Wanted(wanted))

    # --- the machine under watch

    def emit(self, event: step.Event) -> None:
        before = self.held
        after, instructions = advance(before, event, self.now)
        for old, new in zip(before.status.containers, after.status.containers, strict=True):
            assert RANK[new.state] >= RANK[old.state], "a container went backwards"
        assert STATE[after.status.state] >= STATE[before.status.state], "the workload went backwards"
        assert after.stopping or not before.stopping
        for name in after.restarting:
            assert after.container(name).state == "running"
        assert len(set(instructions)) == len(instructions)
        for instruction in instructions:
            assert instruction not in self.told, "told twice while under way"
            self.check(instruction, after)
        assert after.busy >= set(instructions)
        self.held = after
        self.told += instructions
        again, more = advance(after, step.Tick(), self.now)
        assert (again, more) == (after, ()), "nothing new, and yet something to do"

    def check(self, instruction: Instruction, held: Held) -> None:
        specs = {c.name: c for c in self.wanted.containers}
        match instruction.verb:
            case "launch":
                assert self.network, "launched before the interface was there"
                assert not held.stopping
                for need in specs[instruction.container].depends_on:
                    met = {
                        "START": need.container in self.started,
                        "COMPLETE": need.container in self.codes,
                        "SUCCESS": self.codes.get(need.container) == 0,
                        "HEALTHY": held.container(need.container).health == "healthy",
                    }
                    assert met[need.condition], f"launched before {need}"
            case "stop":
                name = instruction.container
                later = {s.name for s in specs.values() if any(n.container == name for n in s.depends_on)}
                assert not self.running & later, "stopped before what depends on it"
            case "delete":
                assert instruction.container not in self.running, "deleted while it runs"
                assert held.stopping
            case "detach":
                assert not self.running
                assert not self.ended
                assert not any(told.verb == "attach" for told in self.told)
            case "restart":
                spec, last = specs[instruction.container], held.restarting[instruction.container]
                assert not held.stopping
                assert spec.restart_after is not None
                assert last.code not in spec.restart_not

    # --- the world answers

    def answer(self, instruction: Instruction, *, ends: int | None = None) -> None:
        """Carries an instruction out. `ends`: a launched process is over before the answer arrives."""
        self.told.remove(instruction)
        name = instruction.container
        match instruction.verb:
            case "attach":
                self.network = True
                self.emit(step.Attached(self.now))
            case "detach":
                self.network = False
                self.emit(step.Detached())
            case "pull":
                self.emit(step.Pulled(name, "sha256:1", self.now, self.now))
            case "launch":
                self.launch(name)
                if ends is not None and name in self.running:
                    self.end(name, ends)
                    self.deliver_all()
                self.emit(step.Launched(name, f"t-{name}", self.now, self.now))
            case "restart":
                began = self.now
                self.start_again(name)
                if ends is not None and name in self.running:
                    self.end(name, ends)
                    self.deliver_all()
                self.emit(step.Launched(name, f"t-{name}", began, began))
            case "stop":
                if name in self.running:
                    self.end(name, 143)
                if name in self.ended:
                    self.emit(self.ended[name])
                else:
                    self.emit(step.Vanished(name))
            case "delete":
                self.running.discard(name)
                self.ended.pop(name, None)
                self.emit(step.Deleted(name))

    def launch(self, name: str) -> None:
        """As the runtime does it: what is there is found."""
        if name not in self.running and name not in self.ended:
            assert name not in self.started, "started twice"
            self.started.add(name)
            self.running.add(name)
            self.since[name] = self.now

    def start_again(self, name: str) -> None:
        if name in self.ended:
            last, policy = self.ended.pop(name), next(c for c in self.wanted.containers if c.name == name)
            assert policy.restart_after is not None
            assert last.at - self.since[name] >= policy.restart_after, "restarted too soon"
            assert last.code != 0, "restarted after a code that is to be ignored"
            self.running.add(name)
            self.since[name] = self.now

    def end(self, name: str, code: int) -> None:
        self.now += 0.001  # no two things happen at the same time
        self.running.discard(name)
        self.codes[name] = code
        self.ended[name] = step.Exited(name, code, self.now)
        self.mail.append(self.ended[name])
        self.now += 0.001

    def deliver_all(self) -> None:
        mail, self.mail = self.mail, []
        for event in mail:
            self.emit(event)

    @precondition(lambda self: self.told)
    @rule(data=st.data(), ends=st.sampled_from([None, None, 0, 1]), twice=st.booleans())
    def does(self, data: st.DataObject, ends: int | None, twice: bool) -> None:
        instruction = data.draw(st.sampled_from(self.told))
        self.answer(instruction, ends=ends)
        if twice and instruction.verb == "pull":
            self.emit(step.Pulled(instruction.container, "sha256:1", self.now, self.now))

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def is_away(self, data: st.DataObject) -> None:
        instruction = data.draw(st.sampled_from(self.told))
        self.told.remove(instruction)
        self.emit(step.Postponed(instruction))

    @precondition(lambda self: any(i.verb in ("attach", "pull", "launch") for i in self.told))
    @rule(data=st.data())
    def fails(self, data: st.DataObject) -> None:
        failing = [i for i in self.told if i.verb in ("attach", "pull", "launch") and i.container not in self.started]
        if not failing:
            return
        instruction = data.draw(st.sampled_from(failing))
        self.told.remove(instruction)
        if instruction.verb == "attach":
            self.emit(step.AttachFailed("kernel", "no"))
        else:
            self.emit(step.Failed(instruction.container, "image-not-found", "no", self.now))

    @precondition(lambda self: self.running)
    @rule(data=st.data(), code=st.sampled_from([0, 1, 137]))
    def ends(self, data: st.DataObject, code: int) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.running))), code)

    @precondition(lambda self: self.mail)
    @rule(data=st.data(), twice=st.booleans())
    def delivers(self, data: st.DataObject, twice: bool) -> None:
        event = self.mail.pop(data.draw(st.integers(0, len(self.mail) - 1)))
        for _ in range(1 + twice):
            self.emit(event)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), health=st.sampled_from(["healthy", "healthy", "unhealthy"]))
    def is_checked(self, data: st.DataObject, health: Any) -> None:
        self.emit(step.HealthChanged(data.draw(st.sampled_from(sorted(self.running))), health, self.now))

    @rule(seconds=st.sampled_from([0.5, 4.0, 6.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        after, _ = advance(self.held, step.Tick(), self.now)
        if self.held.wake_at is None:
            assert after.status == self.held.status, "something became due with no time set for it"
        self.emit(step.Tick())

    @rule(how=st.sampled_from(["stopped", "forgotten"]))
    def is_no_longer_wanted(self, how: str) -> None:
        self.emit(step.Wanted(replace(self.wanted, want="stopped") if how == "stopped" else None))

    @rule(done=st.booleans())
    def restarts(self, done: bool) -> None:
        """The agent is killed: what it was told to do is done or not, and events are lost. It looks around."""
        for instruction in self.told if done else ():
            if instruction.verb == "launch":
                self.launch(instruction.container)
            if instruction.verb == "restart":
                self.start_again(instruction.container)
            if instruction.verb == "attach":
                self.network = True
        self.told.clear()
        self.mail.clear()
        self.held = replace(self.held, busy=frozenset())
        found: list[Any] = []
        for status in self.held.status.containers:
            name = status.name
            if name in self.running and (status.state in ("pulling", "pulled") or name in self.held.restarting):
                found.append(step.Launched(name, f"t-{name}", self.now, self.now))
            elif name in self.ended:
                found.append(self.ended[name])
            elif name not in self.running and status.state == "running":
                found.append(step.Vanished(name))
        self.emit(step.Together(tuple(found)))

    @invariant()
    def what_it_says_is_so(self) -> None:
        # An exit ends the wait for a stop, whose own answer is still to come.
        late = {i for i in self.told if i.verb == "stop" and self.held.container(i.container).state == "stopped"}
        assert set(self.held.busy) <= set(self.told) <= set(self.held.busy) | late
        if self.held.status.state == "stopped":
            assert not self.running
            assert not self.ended
            assert self.wanted.interface is None or not self.network
            assert self.held.status.stopped is not None
        essential = {c.name for c in self.wanted.containers if c.essential}
        if any(c.name in essential and c.state == "stopped" for c in self.held.status.containers):
            assert self.held.stopping

    def teardown(self) -> None:
        """Nothing fails any more, and it is to stop: then it does, and leaves nothing."""
        if not hasattr(self, "held"):
            return
        self.deliver_all()
        self.emit(step.Wanted(None))
        for _ in range(60):
            if not self.told:
                break
            self.answer(self.told[0])
            self.deliver_all()
        assert self.held.done
        assert (self.running, self.ended) == (set(), {})


class TestStepMachine(Node.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=80, stateful_step_count=30, deadline=None)


@pytest.mark.slow
class TestStepMachineAtLength(Node.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=500, stateful_step_count=40, deadline=None)
