"""The runtime port on containerd: a daemon of our own, spoken to over its gRPC API.

runtime     all of it as the port
settings    paths and names of one instance
daemon      the process: config file, start, adoption, stop; `leftovers` is what a killed one cannot get rid of
client      the channel, the stubs, errors translated
images      pull, list, forget; what keeps what from being collected
content     its store of blobs; `unpack` makes snapshots of layers
rootfs      reading an image's files without mounting it
containers  create, start, signal, delete; `records` is what is known of each
tasks       what runs of a container; `roots` are their file systems
execs       processes inside a container, and their streams
events      exits and out-of-memory kills, without a gap
files       files and folders that a container finds; `secrets` are environment variables, which `fill` puts there
filters     compiled system call filters
sharing     namespaces that several containers share
storage     volumes, and groups whose storage is limited by a `disk`
mountspace  containerd's mount namespace, entered by threads of ours; `syscalls` is what Python does not have
memory      the run directory, in which secrets stand in clear, is on no disk
"""

from hatoba.runtime.containerd.runtime import ContainerdRuntime
from hatoba.runtime.containerd.settings import Settings

__all__ = ["ContainerdRuntime", "Settings"]
