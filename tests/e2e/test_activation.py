"""A machine joins with an activation, through its command line, and is an external instance; until it is cut off."""

from __future__ import annotations

import json
import subprocess

import pytest

from tools.instance import HATOBA, Instance, eventually
from tools.machine import FIRST, Cables, Machine

pytestmark = pytest.mark.real

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ssm.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def test_a_machine_that_was_activated_runs_external_tasks_until_it_is_deregistered() -> None:
    with Cables() as cables, Instance(options=["--node-host", FIRST]) as hatoba:
        ssm, ecs = hatoba.client("ssm"), hatoba.client("ecs")
        hatoba.client("iam").create_role(RoleName="anywhere", AssumeRolePolicyDocument=json.dumps(TRUST))
        made = ssm.create_activation(IamRole="anywhere", DefaultInstanceName="edge")
        activation = made["ActivationId"], made["ActivationCode"]
        with Machine(hatoba, cables, 2, activation=activation) as machine:
            (known,) = ssm.describe_instance_information()["InstanceInformationList"]
            assert (known["PingStatus"], known["ComputerName"]) == ("Online", machine.name)

            # It was good for one machine: another one is told so, and keeps nothing.
            words = ["--activation-id", activation[0], "--activation-code", activation[1]]
            late = [HATOBA, "node", *words, "--data", str(machine.folder / "late"), "--name", "late"]
            refused = subprocess.run(late, capture_output=True, text=True, timeout=60, check=False)
            assert refused.returncode == 1
            assert "RegistrationLimitExceeded" in refused.stderr
            assert not (machine.folder / "late" / "node" / "identity" / "node.pem").exists()

            ecs.register_task_definition(
                family="edge",
                networkMode="host",
                requiresCompatibilities=["EXTERNAL"],
                containerDefinitions=[
                    {
                        "name": "main",
                        "image": hatoba.push("busybox"),
                        "command": ["sleep", "600"],
                        "memory": 64,
                        "linuxParameters": {"initProcessEnabled": True},
                    }
                ],
            )
            arn = ecs.run_task(taskDefinition="edge", launchType="EXTERNAL")["tasks"][0]["taskArn"]
            task = hatoba.wait_task(arn, "RUNNING")
            (there,) = ecs.describe_container_instances(containerInstances=[task["containerInstanceArn"]])[
                "containerInstances"
            ]
            assert there["ec2InstanceId"] == known["InstanceId"]

            # Its certificate is worth nothing any more, however often its agent comes back.
            ssm.deregister_managed_instance(InstanceId=known["InstanceId"])
            hatoba.wait_task(arn, "STOPPED")
            machine.end()
            machine.start()
            log = machine.folder / "agent.log"
            eventually(lambda: "or was removed" in log.read_text(errors="replace"))
            assert len(ecs.list_container_instances()["containerInstanceArns"]) == 1
            assert ssm.describe_instance_information()["InstanceInformationList"] == []
