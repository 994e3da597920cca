"""A web service behind a load balancer, made with the public API: what tests, benchmarks and the demo deploy."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from typing import Any

from tools.images import busybox_files
from tools.instance import Instance, eventually
from tools.waiting import PATIENCE


def page(address: str, path: str = "/", *, port: int = 80, patience: float = 5.0) -> str:
    """What is answered on a connection of its own; "" where nobody answers, or with an error.

    `patience`: as long as one try takes where nobody is expected.
    """
    host = f"[{address}]" if ":" in address else address
    try:
        with urllib.request.urlopen(f"http://{host}:{port}{path}", timeout=patience) as answer:
            return str(answer.read().decode().strip())
    except OSError:
        return ""


class Web:
    """`count` tasks of a page that says its version, behind an internet-facing load balancer of its own.

    Their network `mode` decides whether they are Fargate's and targets by address, or ports of instances.
    """

    mode = "awsvpc"
    protocol = "HTTP"  # the load balancer's
    port = 80  # the container's
    pages: Mapping[str, str] = {}  # more of what is served

    @property
    def launch_type(self) -> str:
        return "FARGATE" if self.mode == "awsvpc" else "EC2"

    def __init__(
        self, hatoba: Instance, name: str = "web", *, count: int = 2, interval: int = 5, delay: int = 1
    ) -> None:
        self.hatoba, self.name, self.count = hatoba, name, count
        elb = hatoba.client("elbv2")
        self.group = hatoba.allow(80)
        made = elb.create_load_balancer(Name=name, **self.place())
        self.balancer: str = made["LoadBalancers"][0]["LoadBalancerArn"]
        target = elb.create_target_group(
            Name=name,
            Protocol=self.protocol,
            Port=80,
            VpcId=hatoba.vpc(),
            TargetType="ip" if self.mode == "awsvpc" else "instance",
            HealthCheckIntervalSeconds=interval,
            HealthCheckTimeoutSeconds=interval - 1,
            HealthyThresholdCount=2,
        )
        self.target_group: str = target["TargetGroups"][0]["TargetGroupArn"]
        elb.modify_target_group_attributes(
            TargetGroupArn=self.target_group,
            Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(delay)}],
        )
        forward = [{"Type": "forward", "TargetGroupArn": self.target_group}]
        listener = elb.create_listener(
            LoadBalancerArn=self.balancer, Protocol=self.protocol, Port=80, DefaultActions=forward
        )
        self.listener: str = listener["Listeners"][0]["ListenerArn"]

    def place(self) -> dict[str, Any]:
        """Of its load balancer: parameters of CreateLoadBalancer."""
        return {"Subnets": self.hatoba.subnets(), "SecurityGroups": [self.group]}

    def define(self, version: str, *, role: str = "", **members: Any) -> str:
        """Pushes an image whose page says `version`, and registers a revision that runs it.

        `role`: its execution role, which a log driver needs; `members`: more of its container.
        """
        image = self.hatoba.push(
            self.name,
            busybox_files({"www/index.html": f"{version}\n", **self.pages}),
            tag=version,
            command=["httpd", "-f", "-p", str(self.port), "-h", "/www"],
            ports=[self.port],
        )
        container: dict[str, Any] = {
            "name": "web",
            "image": image,
            "portMappings": [{"containerPort": self.port}],
            "linuxParameters": {"initProcessEnabled": True},
            "stopTimeout": 5,
            **members,
        }
        registered = self.hatoba.client("ecs").register_task_definition(
            family=self.name,
            networkMode=self.mode,
            requiresCompatibilities=[self.launch_type],
            cpu="256",
            memory="512",
            containerDefinitions=[container],
            **({"executionRoleArn": role} if role else {}),
        )
        arn: str = registered["taskDefinition"]["taskDefinitionArn"]
        return arn

    def create(self, version: str = "v1", *, role: str = "", **members: Any) -> None:
        definition = self.define(version, role=role, **members)
        self.hatoba.client("ecs").create_service(
            serviceName=self.name,
            taskDefinition=definition,
            desiredCount=self.count,
            launchType=self.launch_type,
            loadBalancers=[{"targetGroupArn": self.target_group, "containerName": "web", "containerPort": self.port}],
            **({"networkConfiguration": self.hatoba.network(groups=[self.group])} if self.mode == "awsvpc" else {}),
        )

    def update(self, definition: str) -> None:
        self.hatoba.client("ecs").update_service(service=self.name, taskDefinition=definition)

    def describe(self) -> dict[str, Any]:
        found: dict[str, Any] = self.hatoba.client("ecs").describe_services(services=[self.name])["services"][0]
        return found

    def steady(self, seconds: float = PATIENCE) -> dict[str, Any]:
        """Waits until one deployment runs what is desired, all targets healthy."""

        def reached() -> dict[str, Any] | None:
            service = self.describe()
            (first, *others) = service["deployments"]
            done = not others and first["rolloutState"] == "COMPLETED"
            return service if done and service["runningCount"] == service["desiredCount"] else None

        found = eventually(reached, seconds)
        assert found is not None
        return found

    def targets(self) -> list[str]:
        """The state of each, in the target group's words."""
        health = self.hatoba.client("elbv2").describe_target_health(TargetGroupArn=self.target_group)
        return [target["TargetHealth"]["State"] for target in health["TargetHealthDescriptions"]]

    @property
    def address(self) -> str:
        """Where the load balancer is reached from this host."""

        def found() -> str | None:
            interfaces = self.hatoba.interfaces(self.balancer)
            addresses = [i["Association"]["PublicIp"] for i in interfaces if "Association" in i]
            return addresses[0] if addresses else None

        address = eventually(found)
        assert address is not None
        return address

    def remove(self) -> None:
        ecs, elb = self.hatoba.client("ecs"), self.hatoba.client("elbv2")
        ecs.delete_service(service=self.name, force=True)
        elb.delete_load_balancer(LoadBalancerArn=self.balancer)
        eventually(lambda: not self.describe()["runningCount"])
        eventually(lambda: self._group_deleted(elb))

    def _group_deleted(self, elb: Any) -> bool:
        try:
            elb.delete_target_group(TargetGroupArn=self.target_group)
        except elb.exceptions.ResourceInUseException:
            return False
        return True


class Flows(Web):
    """The same behind a network load balancer, whose nodes reach the targets of all zones."""

    protocol = "TCP"

    def __init__(self, hatoba: Instance, name: str, *, count: int = 2, delay: int = 1) -> None:
        super().__init__(hatoba, name, count=count, delay=delay)
        cross = {"Key": "load_balancing.cross_zone.enabled", "Value": "true"}
        hatoba.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=self.balancer, Attributes=[cross])

    def place(self) -> dict[str, Any]:
        return {"Type": "network", "Subnets": self.hatoba.subnets()}
