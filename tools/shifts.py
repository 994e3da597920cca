"""A web service whose deployments shift traffic: two target groups, a production rule and a test listener."""

from __future__ import annotations

from typing import Any

from tools.instance import Instance, eventually
from tools.waiting import PATIENCE
from tools.web import Web

OVER = ("SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED")
TEST_PORT = 8080


def strategy(name: str = "BLUE_GREEN", *pauses: str, **members: Any) -> dict[str, Any]:
    """A DeploymentConfiguration without bake times, that stops at the stages `pauses`."""
    hooks = [{"targetType": "PAUSE", "lifecycleStages": list(pauses)}] if pauses else []
    return {"strategy": name, "bakeTimeInMinutes": 0, "lifecycleHooks": hooks, **members}


LINEAR = {"linearConfiguration": {"stepPercent": 25.0, "stepBakeTimeInMinutes": 0}}
CANARY = {"canaryConfiguration": {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 0}}


class Shifted(Web):
    """Production is a rule of the listener, test traffic the default rule of a listener of its own."""

    def __init__(self, hatoba: Instance, name: str = "shifted", **options: Any) -> None:
        super().__init__(hatoba, name, **options)
        elb = hatoba.client("elbv2")
        made = elb.create_target_group(
            Name=f"{name}-other",
            Protocol="HTTP",
            Port=80,
            VpcId=elb.describe_target_groups(TargetGroupArns=[self.target_group])["TargetGroups"][0]["VpcId"],
            TargetType="ip",
            HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2,
            HealthyThresholdCount=2,
        )
        self.other: str = made["TargetGroups"][0]["TargetGroupArn"]
        elb.modify_target_group_attributes(
            TargetGroupArn=self.other, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
        )
        forward = [{"Type": "forward", "TargetGroupArn": self.target_group}]
        rule = elb.create_rule(
            ListenerArn=self.listener,
            Priority=10,
            Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}],
            Actions=forward,
        )
        self.rule: str = rule["Rules"][0]["RuleArn"]
        hatoba.client("ec2").authorize_security_group_ingress(
            GroupId=self.group, IpProtocol="tcp", FromPort=TEST_PORT, ToPort=TEST_PORT, CidrIp="0.0.0.0/0"
        )
        test = elb.create_listener(
            LoadBalancerArn=self.balancer, Protocol="HTTP", Port=TEST_PORT, DefaultActions=forward
        )
        rules = elb.describe_rules(ListenerArn=test["Listeners"][0]["ListenerArn"])["Rules"]
        self.test_rule: str = rules[0]["RuleArn"]

    def create(self, version: str = "v1", **members: Any) -> None:
        self.hatoba.client("ecs").create_service(
            serviceName=self.name,
            taskDefinition=self.define(version, **members),
            desiredCount=self.count,
            launchType="FARGATE",
            networkConfiguration=self.hatoba.network(groups=[self.group]),
            deploymentConfiguration=strategy(),
            loadBalancers=[
                {
                    "targetGroupArn": self.target_group,
                    "containerName": "web",
                    "containerPort": 80,
                    "advancedConfiguration": {
                        "alternateTargetGroupArn": self.other,
                        "productionListenerRule": self.rule,
                        "testListenerRule": self.test_rule,
                        "roleArn": self.hatoba.task_role("ecs-elb", "elasticloadbalancing:*"),
                    },
                }
            ],
        )

    def deploy(self, definition: str, configuration: dict[str, Any]) -> None:
        self.hatoba.client("ecs").update_service(
            service=self.name, taskDefinition=definition, deploymentConfiguration=configuration
        )

    def deployment(self) -> dict[str, Any]:
        """The newest one."""
        ecs = self.hatoba.client("ecs")
        arn = ecs.list_service_deployments(service=self.name)["serviceDeployments"][0]["serviceDeploymentArn"]
        found: dict[str, Any] = ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]
        return found

    def over(self, seconds: float = PATIENCE) -> str:
        """Its status, once it is over."""
        found = eventually(lambda: (d := self.deployment())["status"] in OVER and d, seconds, 0.2)
        assert found
        return str(found["status"])

    def paused(self, seconds: float = PATIENCE) -> str:
        """The id of the hook that it waits for."""

        def waiting() -> str:
            runs = self.deployment().get("lifecycleHookDetails", ())
            return next((str(run["hookId"]) for run in runs if run["status"] == "AWAITING_ACTION"), "")

        return eventually(waiting, seconds, 0.2)

    def resume(self, hook: str, action: str = "CONTINUE") -> None:
        arn = self.deployment()["serviceDeploymentArn"]
        self.hatoba.client("ecs").continue_service_deployment(serviceDeploymentArn=arn, hookId=hook, action=action)

    def tasks(self) -> list[str]:
        return sorted(self.hatoba.client("ecs").list_tasks(serviceName=self.name)["taskArns"])

    def remove(self) -> None:
        super().remove()
        elb = self.hatoba.client("elbv2")
        elb.delete_target_group(TargetGroupArn=self.other)
