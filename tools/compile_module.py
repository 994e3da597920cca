"""Compile the module that writes trace headers inside Envoy, from src/hatoba/proxy/trace.c (into a git-ignored folder).

`make setup` calls it; it does nothing when the module is there. What comes out is shown to the very Envoy that it is
for before it counts. Where it cannot be made, a sentence says why: load balancers work without, more slowly.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from hatoba.proxy import trace, tracer
from hatoba.proxy.process import envoy_binary

# No more of the system's library than every machine has; nothing to see but the hooks.
_OPTIONS = "-std=c11 -O2 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -Wl,-z,now,-z,relro".split()


def compiled(made: tracer.Made, target: Path) -> None:
    """Raises CalledProcessError, with the compiler's words, or FileNotFoundError without one."""
    defined = [f"-DENVOY_SIZE={made.program}", f'-DENVOY_INTERFACE="{made.interface}"']
    command = [os.environ.get("CC", "gcc"), *_OPTIONS, *defined, "-x", "c", "-", "-o", str(target)]
    subprocess.run(command, input=made.source, check=True, capture_output=True, timeout=60)


def refused(module: Path) -> str:
    """What Envoy has against it, "" for nothing: it is asked to check a configuration that uses the module."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.json")
        config.write_text(json.dumps(_using(module)))
        command = [str(envoy_binary()), "--mode", "validate", "--config-path", str(config), "--log-level", "error"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or f"Envoy ends with {done.returncode}"


def _using(module: Path) -> dict[str, Any]:
    kind = "type.googleapis.com/envoy.extensions.filters"
    http = {
        "@type": f"{kind}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "x",
        "route_config": {},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{kind}.http.router.v3.Router"}}],
        "early_header_mutation_extensions": [json_format.MessageToDict(each) for each in trace.mutations(str(module))],
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    chain = {"filters": [{"name": "http", "typed_config": http}]}
    return {"static_resources": {"listeners": [{"name": "x", "address": address, "filter_chains": [chain]}]}}


def make(made: tracer.Made) -> str:
    """Puts the module in its place; a sentence where that comes to nothing."""
    tracer.FOLDER.mkdir(exist_ok=True)
    draft = made.file.with_suffix(f".{os.getpid()}.so")
    try:
        compiled(made, draft)
        if words := refused(draft):
            return f"Envoy refuses it: {words}"
        # An Envoy that runs has the older one by its content: it is not written into, and may go.
        for older in tracer.FOLDER.glob("trace-????????????.so"):
            older.unlink(missing_ok=True)
        draft.replace(made.file)
    except FileNotFoundError as error:
        return f"there is no C compiler ({error.filename}): apt-get install gcc libc6-dev"
    except subprocess.CalledProcessError as error:
        return f"the compiler says: {error.stderr.decode(errors='replace').strip()}"
    finally:
        draft.unlink(missing_ok=True)
    return ""


def main() -> None:
    made = tracer.wanted()
    if made is None:
        print(f"compile_module: {tracer.missing()}; a script writes trace headers")
    elif not made.file.exists():
        words = make(made)
        print(f"compile_module: {words}; a script writes trace headers" if words else "compile_module: trace.c")


if __name__ == "__main__":
    sys.exit(main())
