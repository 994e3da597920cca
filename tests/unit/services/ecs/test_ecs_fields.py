"""Every member of a task definition: a test shows its effect, or it is refused in these words.

A member that botocore's model brings anew fails here until somebody says what becomes of it. The tests named are looked
up; the refusals are tried.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import botocore.session
import pytest

from hatoba.aws.shapes import ecs as t
from hatoba.services.ecs.plan.definition.check import register
from tests.unit.services.ecs.world import container, definition

TESTS = Path(__file__).parents[3]
EC2: dict[str, Any] = {"requiresCompatibilities": ["EC2"]}

INSIDE = "e2e/test_fields.py::test_a_container_is_as_its_definition_says"
LIMITS = "e2e/test_fields.py::test_all_limits_are_set"
PRIVILEGED = "e2e/test_fields.py::test_a_privileged_container_may_do_what_the_machine_may"
DEVICE = "e2e/test_fields.py::test_a_device_may_be_used_as_it_is_permitted"
STORAGE = "e2e/test_volumes.py::test_fargate_storage_is_shared_filled_and_limited"
OF_INSTANCE = "e2e/test_volumes.py::test_volumes_of_an_instance"
SERVES = "e2e/test_task.py::test_serves_under_its_public_address"
ETC = "unit/node/test_translate.py::test_files_below_etc"
WORKLOAD = "unit/services/ecs/test_ecs_views.py::test_a_workload"
TOLD = "unit/services/ecs/test_ecs_views.py::test_a_definition"
RESTART = "unit/node/test_steps.py::test_what_is_not_started_again"
INJECTED = "unit/services/ecs/test_ecs_injection.py::test_secrets_of_every_form_reach_the_container"
FILES = "unit/services/ecs/test_ecs_injection.py::test_environment_files_and_what_goes_before_them"
LOGIN = "unit/services/ecs/test_ecs_injection.py::test_a_private_registrys_login"
LOGS = "e2e/test_logs.py::test_every_line_once_and_in_order"
LOG_SECRETS = "unit/services/ecs/test_ecs_injection.py::test_secret_options_of_a_log_driver"
FIRELENS = "unit/services/ecs/test_ecs_firelens.py::test_the_configuration_of_fluent_bit"
WAITS = "unit/node/test_steps.py::test_a_container_waits_for_what_it_depends_on"
HEALTH = "unit/services/ecs/test_ecs_bounds.py::test_a_health_check_is_passed_on_with_its_defaults"
PLACED = "unit/services/ecs/test_ecs_placement.py::test_constraints_of_the_request_and_of_the_definition"
UNPLACED = "unit/services/ecs/test_ecs_bounds.py::test_what_no_node_has_is_refused_by_its_name"
OF_DEFINITIONS = "unit/services/ecs/test_ecs_definitions.py"
SHARING = "contract/runtime/test_sharing_contract.py"
PORTS = "unit/services/ecs/test_ecs_definitions.py::test_what_is_told_back_has_the_defaults"

SHOWN = {
    "RegisterTaskDefinitionRequest": {
        "family": "unit/services/ecs/test_ecs_definitions.py::test_revisions_and_families",
        "taskRoleArn": "e2e/test_inside.py::test_the_roles_credentials_are_accepted",
        "executionRoleArn": LOGS,
        "networkMode": SERVES,
        "containerDefinitions": INSIDE,
        "volumes": STORAGE,
        "placementConstraints": PLACED,
        "requiresCompatibilities": "unit/services/ecs/test_ecs_definitions.py::test_compatibilities",
        "cpu": "e2e/test_inside.py::test_metadata",
        "memory": "e2e/test_inside.py::test_metadata",
        "tags": "unit/services/ecs/test_ecs_asking.py::test_tags_of_tasks",
        "pidMode": f"{SHARING}::test_processes_are_seen_by_all_of_the_group",
        "ipcMode": f"{SHARING}::test_shared_memory_and_queues",
        "ephemeralStorage": STORAGE,
        "runtimePlatform": UNPLACED,
        "enableFaultInjection": "e2e/test_metadata.py::test_a_blackhole_takes_the_platform_away_and_gives_it_back",
    },
    "TaskDefinition": {  # what AWS adds when it tells a definition back
        **dict.fromkeys(("taskDefinitionArn", "revision", "status", "compatibilities"), TOLD),
        **dict.fromkeys(("registeredAt", "registeredBy"), TOLD),
        "requiresAttributes": f"{OF_DEFINITIONS}::test_required_attributes",
        **dict.fromkeys(
            ("deregisteredAt", "deleteRequestedAt"), f"{OF_DEFINITIONS}::test_deleting_waits_for_the_tasks"
        ),
    },
    "ContainerDefinition": {
        **dict.fromkeys(("name", "image", "essential", "portMappings"), SERVES),
        **dict.fromkeys(("cpu", "memory", "memoryReservation", "entryPoint", "command", "environment"), INSIDE),
        **dict.fromkeys(("linuxParameters", "user", "workingDirectory", "readonlyRootFilesystem"), INSIDE),
        **dict.fromkeys(("dockerSecurityOptions", "interactive", "systemControls"), INSIDE),
        **dict.fromkeys(("privileged", "pseudoTerminal"), PRIVILEGED),
        **dict.fromkeys(("mountPoints", "volumesFrom", "dependsOn"), STORAGE),
        **dict.fromkeys(("dnsServers", "dnsSearchDomains", "extraHosts"), ETC),
        "repositoryCredentials": LOGIN,
        "links": "unit/services/ecs/test_ecs_modes.py::test_ports_and_links_are_the_containers",
        "hostname": "contract/runtime/test_containerd_isolation.py::test_environment_directory_and_names",
        "disableNetworking": f"{SHARING}::test_a_network_of_its_own_has_loopback_and_nothing_else",
        "restartPolicy": RESTART,
        "environmentFiles": FILES,
        "secrets": INJECTED,
        "startTimeout": "unit/node/test_steps.py::test_a_dependency_that_takes_too_long_ends_the_task_at_its_time",
        "stopTimeout": "e2e/test_task.py::test_stop_is_a_signal_then_a_kill",
        "versionConsistency": "unit/services/ecs/test_ecs_versions.py::test_which_tags_are_resolved",
        "dockerLabels": "e2e/test_fields.py::test_labels_are_told_beside_those_of_the_platform",
        "ulimits": LIMITS,
        "logConfiguration": LOGS,
        "healthCheck": HEALTH,
        "resourceRequirements": UNPLACED,
        "firelensConfiguration": FIRELENS,
        "credentialSpecs": UNPLACED,
    },
    "RepositoryCredentials": {"credentialsParameter": LOGIN},
    "PortMapping": {
        **dict.fromkeys(("containerPort", "hostPort", "protocol"), PORTS),
        **dict.fromkeys(("name", "appProtocol", "containerPortRange"), TOLD),
    },
    "ContainerRestartPolicy": dict.fromkeys(("enabled", "ignoredExitCodes", "restartAttemptPeriod"), RESTART),
    "KeyValuePair": dict.fromkeys(("name", "value"), INSIDE),
    "EnvironmentFile": dict.fromkeys(("type", "value"), FILES),
    "MountPoint": dict.fromkeys(("sourceVolume", "containerPath", "readOnly"), STORAGE),
    "VolumeFrom": dict.fromkeys(("sourceContainer", "readOnly"), STORAGE),
    "LinuxParameters": {
        **dict.fromkeys(("capabilities", "initProcessEnabled", "sharedMemorySize", "tmpfs"), INSIDE),
        **dict.fromkeys(("maxSwap", "swappiness"), INSIDE),
        "devices": DEVICE,
    },
    "KernelCapabilities": dict.fromkeys(("add", "drop"), INSIDE),
    "Device": dict.fromkeys(("hostPath", "containerPath", "permissions"), DEVICE),
    "Tmpfs": dict.fromkeys(("containerPath", "size", "mountOptions"), INSIDE),
    "Secret": dict.fromkeys(("name", "valueFrom"), INJECTED),
    "ContainerDependency": dict.fromkeys(("containerName", "condition"), WAITS),
    "HostEntry": dict.fromkeys(("hostname", "ipAddress"), ETC),
    "Ulimit": dict.fromkeys(("name", "softLimit", "hardLimit"), LIMITS),
    "LogConfiguration": {"logDriver": LOGS, "options": LOGS, "secretOptions": LOG_SECRETS},
    "HealthCheck": dict.fromkeys(("command", "interval", "timeout", "retries", "startPeriod"), HEALTH),
    "SystemControl": dict.fromkeys(("namespace", "value"), INSIDE),
    "ResourceRequirement": dict.fromkeys(("type", "value", "sharingStrategy"), UNPLACED),
    "SharingStrategy": {"nvidiaMps": UNPLACED},  # of GPUs, which no node has
    "NvidiaMpsAllocation": dict.fromkeys(("memory", "maxComputePercent"), UNPLACED),
    "FirelensConfiguration": dict.fromkeys(("type", "options"), FIRELENS),
    "Volume": {"name": STORAGE, "host": OF_INSTANCE, "dockerVolumeConfiguration": OF_INSTANCE},
    "HostVolumeProperties": {"sourcePath": OF_INSTANCE},
    "DockerVolumeConfiguration": {
        **dict.fromkeys(("scope", "autoprovision", "driverOpts"), OF_INSTANCE),
        "driver": "e2e/test_volumes.py::test_a_driver_that_no_instance_has_is_not_placed",
        "labels": "contract/runtime/test_volumes_contract.py::test_a_groups_volume_goes_with_it_and_others_stay",
    },
    "TaskDefinitionPlacementConstraint": dict.fromkeys(("type", "expression"), PLACED),
    "Tag": dict.fromkeys(("key", "value"), "unit/services/ecs/test_ecs_asking.py::test_tags_of_tasks"),
    "EphemeralStorage": {"sizeInGiB": STORAGE},
    "RuntimePlatform": dict.fromkeys(("cpuArchitecture", "operatingSystemFamily"), UNPLACED),
}


def volume(**fields: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "data", **fields}]}


def isolated(**fields: Any) -> dict[str, Any]:
    return {**EC2, "trustedExecutionConfiguration": {"isolationMode": "ISOLATED_SANDBOX", **fields}}


NO_INFERENCE = "Amazon Elastic Inference is no longer available."
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "RegisterTaskDefinitionRequest.proxyConfiguration": (
        {"proxyConfiguration": {"type": "APPMESH", "containerName": "envoy"}},
        "proxyConfiguration is not available.",
    ),
    "RegisterTaskDefinitionRequest.inferenceAccelerators": (
        {**EC2, "inferenceAccelerators": [{"deviceName": "a", "deviceType": "eia1.medium"}]},
        NO_INFERENCE,
    ),
    "RegisterTaskDefinitionRequest.trustedExecutionConfiguration": (isolated(), "The isolationMode ISOLATED_SANDBOX"),
    "TrustedExecutionConfiguration": (isolated(attestationPolicy="e30="), "The isolationMode ISOLATED_SANDBOX"),
    "ProxyConfiguration": (
        {"proxyConfiguration": {"containerName": "envoy", "properties": [{"name": "AppPorts", "value": "80"}]}},
        "proxyConfiguration is not available.",
    ),
    "InferenceAccelerator": (
        {"containerDefinitions": [container(resourceRequirements=[{"type": "InferenceAccelerator", "value": "a"}])]}
        | EC2,
        NO_INFERENCE,
    ),
    "Volume.efsVolumeConfiguration": (
        volume(efsVolumeConfiguration={"fileSystemId": "fs-1"}),
        "Volume 'data': efsVolumeConfiguration is not available.",
    ),
    "EFSVolumeConfiguration": (
        volume(efsVolumeConfiguration={"fileSystemId": "fs-1", "rootDirectory": "/", "transitEncryption": "ENABLED"}),
        "efsVolumeConfiguration is not available.",
    ),
    "EFSAuthorizationConfig": (
        volume(efsVolumeConfiguration={"fileSystemId": "fs-1", "authorizationConfig": {"iam": "ENABLED"}}),
        "efsVolumeConfiguration is not available.",
    ),
    "Volume.s3filesVolumeConfiguration": (
        volume(s3filesVolumeConfiguration={"fileSystemArn": "arn:aws:s3files:::x"}),
        "s3filesVolumeConfiguration is not available.",
    ),
    "S3FilesVolumeConfiguration": (
        volume(s3filesVolumeConfiguration={"fileSystemArn": "arn:aws:s3files:::x", "rootDirectory": "/"}),
        "s3filesVolumeConfiguration is not available.",
    ),
    "Volume.fsxWindowsFileServerVolumeConfiguration": (
        volume(fsxWindowsFileServerVolumeConfiguration={"fileSystemId": "fs-1"}),
        "fsxWindowsFileServerVolumeConfiguration is not available.",
    ),
    "FSxWindowsFileServerVolumeConfiguration": (
        volume(fsxWindowsFileServerVolumeConfiguration={"fileSystemId": "fs-1", "rootDirectory": "/"}),
        "fsxWindowsFileServerVolumeConfiguration is not available.",
    ),
    "FSxWindowsFileServerAuthorizationConfig": (
        volume(
            fsxWindowsFileServerVolumeConfiguration={"fileSystemId": "fs-1", "authorizationConfig": {"domain": "d"}}
        ),
        "fsxWindowsFileServerVolumeConfiguration is not available.",
    ),
    "Volume.configuredAtLaunch": (volume(configuredAtLaunch=True), "configuredAtLaunch is not available."),
}


def _members() -> dict[str, list[str]]:
    """Every structure below RegisterTaskDefinition, and its members; of what is told back, those that are more."""
    found: dict[str, list[str]] = {}

    def walk(shape: Any) -> None:
        if shape.type_name == "list":
            walk(shape.member)
        elif shape.type_name == "structure" and shape.name not in found:
            found[shape.name] = list(shape.members)
            for member in shape.members.values():
                walk(member)

    model = botocore.session.get_session().get_service_model("ecs")
    walk(model.shape_for("RegisterTaskDefinitionRequest"))
    asked = found["RegisterTaskDefinitionRequest"]
    found["TaskDefinition"] = [name for name in model.shape_for("TaskDefinition").members if name not in asked]
    return found


def test_every_member_has_its_effect_or_its_refusal() -> None:
    known = {f"{shape}.{member}" for shape, members in SHOWN.items() for member in members}
    missing, extra = [], known | {name for name in REFUSED if "." in name}
    for shape, members in _members().items():
        names = {f"{shape}.{member}" for member in members}
        extra -= names
        missing += [] if shape in REFUSED else sorted(names - known - set(REFUSED))
    assert missing == []
    assert extra == set(), "no longer in the model"


@pytest.mark.parametrize("test", sorted({test for members in SHOWN.values() for test in members.values()}))
def test_the_tests_named_are_there(test: str) -> None:
    file, _, name = test.partition("::")
    assert f"def {name}(" in (TESTS / file).read_text()


@pytest.mark.parametrize(("fields", "words"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(t.ClientException) as refused:
        register(definition(**fields))  # type: ignore[arg-type]
    assert words in refused.value.message
