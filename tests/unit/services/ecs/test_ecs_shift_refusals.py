"""Shifts of traffic that make no sense, or cannot be made here: refused before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.core.errors import AwsError
from tests.unit.services.ecs.fake_elb import GROUP, RULE
from tests.unit.services.ecs.test_ecs_deployments import newest, update
from tests.unit.services.ecs.test_ecs_services import create
from tests.unit.services.ecs.test_ecs_shifts import ADVANCED, SHIFTED, pause, resume, start, strategy
from tests.unit.services.ecs.world import ROLE, world


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        (strategy("LINEAR", linearConfiguration={"stepPercent": 2.9}), "stepPercent must be"),
        (strategy("LINEAR", linearConfiguration={"stepPercent": 10.05}), "multiple of 0.1"),
        (strategy("LINEAR", linearConfiguration={"stepBakeTimeInMinutes": 1441}), "stepBakeTimeInMinutes"),
        (strategy("CANARY", canaryConfiguration={"canaryPercent": 0.0}), "canaryPercent"),
        (strategy("BLUE_GREEN", canaryConfiguration={}), "only valid when the deployment strategy is CANARY"),
        (strategy(bakeTimeInMinutes=-1), "bakeTimeInMinutes"),
        (strategy(**pause("PRODUCTION_TRAFFIC_SHIFT")), "cannot be configured at PRODUCTION_TRAFFIC_SHIFT"),
        (strategy(**pause()), "lifecycleStages"),
        (strategy(**pause("POST_SCALE_UP", timeoutConfiguration={"timeoutInMinutes": 20161})), "timeoutInMinutes"),
        (strategy(lifecycleHooks=[{"lifecycleStages": ["POST_SCALE_UP"]}]), "hookTargetArn"),
        ({"strategy": "ROLLING", **pause("POST_SCALE_UP")}, "lifecycleHooks can only be used"),
        (strategy(earlySuccessCriteria={"enable": True}), "earlySuccessCriteria can only be used"),
        ({"earlySuccessCriteria": {"enable": True, "healthyPercent": 50}}, "sourceServiceRevisionCleanup"),
        ({"alarms": {"alarmNames": [], "enable": True, "rollback": True}}, "alarmNames"),
    ],
)
async def test_what_is_refused(tmp_path: Path, configuration: dict[str, Any], message: str) -> None:
    async with world(tmp_path) as w:
        with pytest.raises(AwsError, match=message):
            await create(w, loadBalancers=SHIFTED, deploymentConfiguration=configuration)


@pytest.mark.parametrize(
    ("advanced", "message"),
    [
        ({}, "needs an advancedConfiguration"),
        ({"alternateTargetGroupArn": GROUP}, "another one than the targetGroupArn"),
        ({"alternateTargetGroupArn": GROUP + "0"}, "does not exist"),
        ({"productionListenerRule": RULE + "0"}, "listener rules are not there"),
        ({"productionListenerRule": ""}, "needs an alternateTargetGroupArn and a productionListenerRule"),
        ({"roleArn": ROLE + "0"}, "ECS cannot assume the roleArn: not authorized"),
        ({"productionListenerRule": RULE.replace("app/web", "app/other")}, "not associated with the load balancer"),
        ({"testListenerRule": RULE}, "another one than the productionListenerRule"),
        ({"productionListenerRule": RULE.replace("listener-rule/app", "listener/net")}, "Network Load Balancers"),
        ({"productionListenerRule": RULE.replace("listener-rule", "listener")}, "not the ARN of a listener rule"),
    ],
)
async def test_what_is_refused_of_load_balancers(tmp_path: Path, advanced: dict[str, Any], message: str) -> None:
    async with world(tmp_path) as w:
        balancer = {**SHIFTED[0], "advancedConfiguration": {**ADVANCED, **advanced} if advanced else {}}
        with pytest.raises(AwsError, match=message):
            await create(w, loadBalancers=[balancer], deploymentConfiguration=strategy())


async def test_a_daemon_cannot_shift_traffic(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await w.ecs.register_task_definition(
            family="d", containerDefinitions=[{"name": "d", "image": "d", "memory": 64}]
        )
        with pytest.raises(t.InvalidParameterException, match="daemon scheduling strategy does not support"):
            await w.ecs.create_service(
                serviceName="d",
                taskDefinition="d",
                schedulingStrategy="DAEMON",
                launchType="EC2",
                deploymentConfiguration=strategy(),
            )


async def test_what_cannot_be_continued(tmp_path: Path) -> None:
    async with world(tmp_path) as w:
        await start(w)
        await w.ecs.update_service(service="web", deploymentConfiguration=strategy(**pause("POST_SCALE_UP")))
        await update(w)
        found = await newest(w)
        arn, (hook,) = found["serviceDeploymentArn"], found["lifecycleHookDetails"]
        with pytest.raises(t.ServiceDeploymentNotFoundException):
            await w.ecs.continue_service_deployment(serviceDeploymentArn=arn + "x", hookId=hook["hookId"])
        with pytest.raises(t.InvalidParameterException, match="no paused lifecycle hook"):
            await w.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId="other")
        await resume(w)
        with pytest.raises(t.InvalidParameterException, match="not awaiting an action"):
            await w.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook["hookId"])
