"""Why something failed, in AWS's words: codes of our runtime and agent → the error names of the open ECS agent."""

from __future__ import annotations

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
    "container-start": "CannotStartContainerError",
    "container-state": "CannotInspectContainerError",
    "container-not-found": "ContainerVanishedError",
    "vanished": "ContainerVanishedError",
    "dependency": "TaskDependencyError",
    "kernel": "ContainerNetworkingError",
    "rules": "ContainerNetworkingError",
    "unknown_vpc": "ContainerNetworkingError",
}
# What the agent of AWS says to a container that the kernel killed.
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
ESSENTIAL_EXITED = "Essential container in task exited"
FAILED_TO_START = "Task failed to start"
ENI_TIMEOUT = "Timeout waiting for network interface provisioning to complete."
HEALTH_CHECKS = "Task failed container health checks"


def reason(code: str, detail: str) -> str:
    """`CannotPullContainerError: manifest unknown`"""
    name = _NAMES.get(code) or "ResourceInitializationError"
    text = f"{name}: {detail}" if detail else name
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


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


def scaling(deployment: str) -> str:
    return f"Scaling activity initiated by (deployment {deployment})"
