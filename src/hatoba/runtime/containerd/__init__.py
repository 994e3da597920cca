"""The runtime port on containerd: a daemon of our own, spoken to over its gRPC API.

settings    paths and names of one instance
daemon      the process: config file, start, adoption, stop
client      the channel, the stubs, errors translated
images      pull, list, forget; what keeps what from being collected
rootfs      reading an image's files without mounting it
containers  create, start, signal, delete
execs       processes inside a container, and their streams
events      exits and out-of-memory kills, without a gap
runtime     all of it as the port
"""

from hatoba.runtime.containerd.runtime import ContainerdRuntime
from hatoba.runtime.containerd.settings import Settings

__all__ = ["ContainerdRuntime", "Settings"]
