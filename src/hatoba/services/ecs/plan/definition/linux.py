"""Rules of what a container gets from the kernel: limits, mounts, devices, parameters, security options.

Sources: the model's documentation of LinuxParameters, Tmpfs, Ulimit, SystemControl and ResourceRequirement.
"""

from __future__ import annotations

from hatoba.aws.shapes import ecs as t

_MOUNT_OPTIONS = frozenset(
    "defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand atime noatime diratime "
    "nodiratime bind rbind unbindable runbindable private rprivate shared rshared slave rslave relatime norelatime "
    "strictatime nostrictatime mode uid gid nr_inodes nr_blocks mpol".split()
)
_NAMESPACED = ("kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue.", "net.")  # what Docker lets a container have
_SECURITY = ("apparmor:", "label:", "credentialspec:")
NO_NEW_PRIVILEGES = ("no-new-privileges", "no-new-privileges:true")


def _setting(container: t.ContainerDefinition, message: str) -> t.ClientException:
    return t.ClientException(f"Invalid setting for container '{container.get('name')}'. {message}")


def check(container: t.ContainerDefinition, req: t.RegisterTaskDefinitionRequest) -> None:
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
    for control in container.get("systemControls") or ():
        _control(container, control, req)
    for option in container.get("dockerSecurityOptions") or ():
        if option not in NO_NEW_PRIVILEGES and not option.startswith(_SECURITY):
            raise _setting(container, f"The dockerSecurityOptions value '{option}' is not valid.")
    if len(container.get("credentialSpecs") or ()) > 1:
        raise _setting(container, "At most one of credentialSpecs can be specified.")
    for requirement in container.get("resourceRequirements") or ():
        _requirement(container, requirement, req)


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


def _control(container: t.ContainerDefinition, control: t.SystemControl, req: t.RegisterTaskDefinitionRequest) -> None:
    name = control.get("namespace") or ""
    if not name or control.get("value") is None:
        raise _setting(container, "A systemControl must have a namespace and a value.")
    if not name.startswith(_NAMESPACED):
        raise _setting(container, f"The systemControl '{name}' is not in a separate kernel namespace.")
    if name.startswith("net.") and req.get("networkMode") == "host":
        raise _setting(container, f"The systemControl '{name}' is not supported when networkMode=host.")
    if not name.startswith("net.") and req.get("ipcMode") == "host":
        raise _setting(container, f"The systemControl '{name}' is not supported when ipcMode=host.")


def _requirement(
    container: t.ContainerDefinition, requirement: t.ResourceRequirement, req: t.RegisterTaskDefinitionRequest
) -> None:
    kind, value = str(requirement["type"]), requirement.get("value") or ""
    if kind == "GPU" and not (value.isdecimal() and int(value) > 0):
        raise _setting(container, f"The GPU resource requirement '{value}' must be a whole number greater than 0.")
    if kind == "InferenceAccelerator":
        known = [device["deviceName"] for device in req.get("inferenceAccelerators") or ()]
        if value not in known:
            raise _setting(container, f"The inference accelerator '{value}' is not in inferenceAccelerators.")
