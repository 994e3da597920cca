"""A workload's log router on this node: its files, and the folder in which it opens its socket.

<workload>/.router/files/0 …    mounted read-only where the router looks for its configuration
<workload>/.router/run         mounted at the socket's folder: `/var/run/fluent.sock` inside is `fluent.sock` here
"""

from __future__ import annotations

from pathlib import Path

from hatoba.fleet.model import RouterWanted
from hatoba.runtime.base import Mount

SOCKET = "fluent.sock"
ROUTER_PORT = "24224"
FOLDER = ".router"  # no container has such a name


def router_socket(files: Path) -> Path:
    """Where the socket is seen from this node, once the router has opened it. `files` is the workload's folder."""
    return files / FOLDER / "run" / SOCKET


def router_mounts(router: RouterWanted, files: Path) -> tuple[Mount, ...]:
    given = files / FOLDER / "files"
    paths = (*router.files, *router.sealed)
    mounts = [Mount(target=path, source=str(given / str(n)), read_only=True) for n, path in enumerate(paths)]
    folder = router.socket.rpartition("/")[0]
    return (*mounts, Mount(target=folder, source=str(router_socket(files).parent)))


def write_router(router: RouterWanted, files: Path) -> None:
    """Raises `OSError`. Readable for whoever the router runs as; the workload's folder is root's alone."""
    given, run = files / FOLDER / "files", router_socket(files).parent
    given.mkdir(parents=True, exist_ok=True)
    run.mkdir(exist_ok=True)
    run.chmod(0o777)
    texts = [*router.files.values(), *(secret.reveal() for secret in router.sealed.values())]
    for number, text in enumerate(texts):
        file = given / str(number)
        file.write_text(text)
        file.chmod(0o644)
