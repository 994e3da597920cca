"""A small ELB in memory that keeps AWS's public contract: two target groups and two rules of one load balancer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.fleet import model as fleet
from hatoba.gateway.call import Call
from hatoba.gateway.plane import ControlPlane
from hatoba.gateway.room import Service

GROUP = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef"
OTHER_GROUP = GROUP.replace("targetgroup/web", "targetgroup/other")  # of the same load balancer
RULE = "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener-rule/app/web/0123456789abcdef/2/3"
TEST_RULE = RULE.replace("/2/3", "/8/9")  # the default rule of another listener


class FakeElb:
    """Target groups with targets that are healthy as soon as they are registered, unless `slow`; and two rules."""

    def __init__(self, plane: Callable[[], ControlPlane]) -> None:
        self._plane = plane
        self.states: dict[tuple[str, str, int], str] = {}
        self.descriptions: dict[str, str] = {}  # by address: why it is not well
        self.history: list[tuple[str, str]] = []
        self.slow = False
        self.gone = False  # the target group
        self.ip_type = "ipv4"  # of the target groups
        self.delay = "1"
        self.rules: dict[str, dict[str, int]] = {RULE: {GROUP: 1}, TEST_RULE: {GROUP: 1}}  # weights by target group
        self.room = Service("elbv2")
        for handler in (
            self.register_targets,
            self.deregister_targets,
            self.describe_target_health,
            self.describe_target_groups,
            self.describe_target_group_attributes,
            self.describe_rules,
            self.modify_rule,
            self.modify_listener,
        ):
            self.room.operation(handler)

    def _need(self) -> None:
        if self.gone:
            raise AwsError("it is gone", code="TargetGroupNotFound")

    async def register_targets(self, req: Any, call: Call) -> Any:
        self._need()
        for target in req["Targets"]:
            self.history.append(("register", target["Id"]))
            place = (req["TargetGroupArn"], target["Id"], target["Port"])
            self.states[place] = "initial"
            if not self.slow:
                self.become(target["Id"], "healthy")
        return {}

    async def deregister_targets(self, req: Any, call: Call) -> Any:
        self._need()
        for target in req["Targets"]:
            self.history.append(("deregister", target["Id"]))
            self.states[req["TargetGroupArn"], target["Id"], target["Port"]] = "draining"
        return {}

    def become(self, address: str, state: str | None) -> None:
        """A target's state; None: it is no longer there. Hints as the fleet's records do."""
        for group, where, port in [place for place in self.states if place[1] == address]:
            if state is None:
                del self.states[group, where, port]
            else:
                self.states[group, where, port] = state
            with self._plane().store.tx() as tx:
                key = fleet.target_statuses.key(fleet.FLEET, fleet.target_id(group, where))
                old = tx.get(fleet.target_statuses, key)
                record = fleet.TargetStatus(
                    key=key, version=old.version if old else 0, group=group, target=where, state=state or "unused"
                )
                tx.put(fleet.target_statuses, record)

    async def describe_target_health(self, req: Any, call: Call) -> Any:
        self._need()
        return {
            "TargetHealthDescriptions": [
                {"Target": {"Id": address, "Port": port}, "TargetHealth": {"State": state, **self._why(address)}}
                for (group, address, port), state in self.states.items()
                if group == req["TargetGroupArn"]
            ]
        }

    def _why(self, address: str) -> dict[str, str]:
        return {"Description": self.descriptions[address]} if address in self.descriptions else {}

    async def describe_target_groups(self, req: Any, call: Call) -> Any:
        if not {GROUP, OTHER_GROUP}.issuperset(req["TargetGroupArns"]):
            raise AwsError("One or more target groups not found", code="TargetGroupNotFound")
        balancer = GROUP.replace("targetgroup/web", "loadbalancer/app/web")
        shape = {"TargetType": "ip", "IpAddressType": self.ip_type, "LoadBalancerArns": [balancer]}
        return {"TargetGroups": [{"TargetGroupArn": arn, **shape} for arn in req["TargetGroupArns"]]}

    async def describe_target_group_attributes(self, req: Any, call: Call) -> Any:
        return {"Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": self.delay}]}

    async def describe_rules(self, req: Any, call: Call) -> Any:
        return {"Rules": [self._rule(arn) for arn in req["RuleArns"]]}

    def _rule(self, arn: str) -> Any:
        if arn not in self.rules:
            raise AwsError("One or more rules not found", code="RuleNotFound")
        groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in self.rules[arn].items()]
        config = {"TargetGroups": groups, "TargetGroupStickinessConfig": {"Enabled": False}}
        return {
            "RuleArn": arn,
            "IsDefault": arn == TEST_RULE,
            "Actions": [{"Type": "forward", "ForwardConfig": config}],
        }

    def _weigh(self, arn: str, actions: Any) -> None:
        shares = {each["TargetGroupArn"]: each["Weight"] for each in actions[0]["ForwardConfig"]["TargetGroups"]}
        if sum(shares.values()) not in (1, 100, 1000) or self._rule(arn)["Actions"] == actions:
            raise AssertionError(f"{arn}: {actions}")
        self.rules[arn] = shares
        self.history.append(("weigh", f"{arn[-1]} {shares.get(GROUP, 0)}:{shares.get(OTHER_GROUP, 0)}"))

    async def modify_rule(self, req: Any, call: Call) -> Any:
        if req["RuleArn"] == TEST_RULE:
            raise AwsError("a default rule cannot be modified", code="OperationNotPermitted")
        self._weigh(req["RuleArn"], req["Actions"])
        return {"Rules": [self._rule(req["RuleArn"])]}

    async def modify_listener(self, req: Any, call: Call) -> Any:
        if not TEST_RULE.replace("listener-rule", "listener").startswith(f"{req['ListenerArn']}/"):
            raise AwsError("no such listener", code="ListenerNotFound")
        self._weigh(TEST_RULE, req["DefaultActions"])
        return {"Listeners": [{"ListenerArn": req["ListenerArn"]}]}
