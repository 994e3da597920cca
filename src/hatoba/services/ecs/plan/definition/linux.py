"""Rules of what a container gets from the kernel: limits, mounts, devices, security options.

Sources: the model's documentation of LinuxParameters, Tmpfs, Ulimit and ResourceRequirement.
"""

from __future__ import annotations

import re

from hatoba.aws.shapes import ecs as t

_MOUNT_OPTIONS = frozenset(
    "defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime diratime "
    "nodiratime bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime norelatime "
    "strictatime nostrictatime mode uid gid nr_inodes nr_blocks mpol".split()
)
_WHOLE = re.compile("[1-9][0-9]{0,5}")
_SECURITY = ("apparmor:", "label:", "credentialspec:")
NO_INFERENCE = "Amazon Elastic Inference is no longer available."
NO_NEW_PRIVILEGES = ("no-new-privileges", "no-new-privileges:true")


def _setting(container: t.ContainerDefinition | t.ContainerOverride, message: str) -> t.ClientException:
    return t.ClientException(f"Invalid setting for container '{container.get('name')}'. {message}")


def check(container: t.ContainerDefinition) -> None:
    linux = container.get("linuxParameters") or {}
    _memory(container, linux)
    for tmpfs in linux.get("tmpfs") or ():
        _tmpfs(container, tmpfs)
    for device in linux.get("devices") or ():
        if not device["hostPath"].startswith("/"):
            raise _setting(container, f"The device's hostPath '{device['hostPath']}' must be an absolute path.")
    for limit in container.get("ulimits") or ():
        if limit["softLimit"] > limit["hardLimit"] and limit["hardLimit"] != -1:
            raise t.ClientException(f"Soft limit exceeds hard limit for ulimit {limit['name']}.")
    for option in container.get("dockerSecurityOptions") or ():
        if option not in NO_NEW_PRIVILEGES and not option.startswith(_SECURITY):
            raise _setting(container, f"The dockerSecurityOptions value '{option}' is not valid.")
    if len(container.get("credentialSpecs") or ()) > 1:
        raise _setting(container, "At most one of credentialSpecs can be specified.")
    requirements(container)


def _memory(container: t.ContainerDefinition, linux: t.LinuxParameters) -> None:
    if "sharedMemorySize" in linux and linux["sharedMemorySize"] <= 0:
        raise _setting(container, "The 'sharedMemorySize' value must be greater than 0.")
    if linux.get("maxSwap", 0) < 0:
        raise _setting(container, "The 'maxSwap' value must not be negative.")
    if not 0 <= linux.get("swappiness", 60) <= 100:
        raise _setting(container, "The 'swappiness' value must be between 0 and 100.")


def _tmpfs(container: t.ContainerDefinition, tmpfs: t.Tmpfs) -> None:
    if not tmpfs["containerPath"].startswith("/"):
        raise _setting(container, f"The tmpfs containerPath '{tmpfs['containerPath']}' must be an absolute path.")
    if tmpfs["size"] <= 0:
        raise _setting(container, "The size of a tmpfs must be greater than 0.")
    for option in tmpfs.get("mountOptions") or ():
        if option.partition("=")[0] not in _MOUNT_OPTIONS:
            raise _setting(container, f"The tmpfs mount option '{option}' is not valid.")


def requirements(container: t.ContainerDefinition | t.ContainerOverride) -> None:
    for requirement in container.get("resourceRequirements") or ():
        kind, value = str(requirement["type"]), requirement.get("value") or ""
        if kind == "InferenceAccelerator":
            raise t.ClientException(NO_INFERENCE)
        if kind == "GPU" and not _WHOLE.fullmatch(value):
            raise _setting(container, f"The GPU resource requirement '{value}' must be a whole number greater than 0.")
