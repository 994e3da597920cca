"""Why something failed, in AWS's words: codes of our runtime and agent → the error names of the open ECS agent."""

from __future__ import annotations

from hatoba.core.errors import AwsError

LONGEST = 1024  # characters of a reason

_NAMES = {
    "image-not-found": "CannotPullContainerError",
    "image-auth": "CannotPullContainerError",
    "image-manifest": "CannotPullImageManifestError",
    "image-platform": "CannotPullContainerError",
    "image-throttled": "CannotPullContainerError",
    "image-network": "CannotPullContainerError",
    "disk-full": "CannotCreateContainerError",
    "container-spec": "CannotCreateContainerError",
    "volume": "CannotCreateVolumeError",
    "container-start": "CannotStartContainerError",
    "container-state": "CannotInspectContainerError",
    "container-not-found": "ContainerVanishedError",
    "vanished": "ContainerVanishedError",
    "dependency": "TaskDependencyError",
    "kernel": "ContainerNetworkingError",
    "rules": "ContainerNetworkingError",
    "unknown_vpc": "ContainerNetworkingError",
    "unknown_interface": "ContainerNetworkingError",
    "interface-missing": "ContainerNetworkingError",
    "network-missing": "ContainerNetworkingError",
    "closed": "ContainerNetworkingError",
    "port_taken": "CannotStartContainerError",
    "too-many": "CannotStartContainerError",
    "runtime-internal": "CannotStartContainerError",
}
# What the agent of AWS says to a container that the kernel killed.
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
ESSENTIAL_EXITED = "Essential container in task exited"
FAILED_TO_START = "Task failed to start"
ENI_TIMEOUT = "Timeout waiting for network interface provisioning to complete."
HEALTH_CHECKS = "Task failed container health checks"
MAINTENANCE = "ECS is performing maintenance on the underlying infrastructure hosting the task."


def lost(launch_type: str, node: str) -> str:
    """Its node is gone. Fargate's nodes are nobody's business."""
    return MAINTENANCE if launch_type == "FARGATE" else f"Host EC2 (instance {node}) terminated."


def reason(code: str, detail: str) -> str:
    """`CannotPullContainerError: manifest unknown`"""
    if code == "network-timeout":
        return ENI_TIMEOUT
    name = _NAMES.get(code) or "ResourceInitializationError"
    return _trimmed(f"{name}: {detail}" if detail else name)


def _trimmed(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


# --- what a task's configuration refers to, in Fargate's words

_SECRETS = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
_ASKED = "service call has been retried 1 time(s): "


def secret(said: str) -> str:
    return _trimmed(f"{_SECRETS}unable to retrieve secret from asm: {_ASKED}{said}")


def parameter(said: str) -> str:
    return _trimmed(f"{_SECRETS}unable to retrieve secrets from ssm: {_ASKED}{said}")


def secret_file(said: str) -> str:
    """Of a file that no room could be asked for."""
    return _trimmed(f"ResourceInitializationError: unable to pull secrets or registry auth: {said}")


def login(said: str) -> str:
    return _trimmed(f"{_SECRETS}unable to get registry auth from asm: {_ASKED}{said}")


def file(said: str) -> str:
    return _trimmed(f"ResourceInitializationError: failed to download env files: {_ASKED}{said}")


def router_file(said: str) -> str:
    return _trimmed(f"ResourceInitializationError: unable to download firelens s3 config file: {said}")


def log_stream(error: AwsError) -> str:
    operation = api("CloudWatch Logs", "CreateLogStream", error)
    return _trimmed(
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed "
        f"to create Cloudwatch log stream: {operation} : exit status 1"
    )


def api(service: str, operation: str, error: AwsError) -> str:
    """A refused call, as the SDK of the platform's agent tells it."""
    return (
        f"operation error {service}: {operation}, https response error StatusCode: {error.status}, "
        f"api error {error.code}: {error.message}"
    )


def eni(subnet: str, public: bool, error: str) -> str:
    with_address = " with public IP assignment enabled" if public else ""
    return (
        f"Unexpected EC2 error while attempting to Create Network Interface{with_address} in subnet '{subnet}': {error}"
    )


def role(arn: str) -> str:
    return (
        f"ECS was unable to assume the role '{arn}' that was provided for this task. Please verify that the role being "
        "passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this "
        "role."
    )


def elb(target_group: str) -> str:
    return f"Task failed ELB health checks in (target-group {target_group})"


def rebalancing(deployment: str) -> str:
    return f"Availability-zone rebalancing initiated by (deployment {deployment})"


def scaling(deployment: str) -> str:
    return f"Scaling activity initiated by (deployment {deployment})"
