"""`make bench`: every benchmark, one after the other, then what was promised beside what was measured.

    python -m bench [NAME...]

Root needed; quiet machines give better figures. Each module runs in a process of its own with a bound on its time, and
can be run alone (`python -m bench.proxy`). The exit code is 1 when one failed to run; a missed target is only told.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.rows import GATHERED, gathered, show

# name → arguments, and after how many seconds it is given up
MODULES: dict[str, tuple[list[str], float]] = {
    "platform": ([], 900.0),
    "shifts": ([], 600.0),
    "request_cpu": ([], 120.0),
    "authorise": ([], 120.0),
    "secrets": ([], 120.0),
    "store": ([], 120.0),
    "names": ([], 120.0),
    "placement": ([], 300.0),
    "simulation": ([], 600.0),
    "runtime": ([], 300.0),
    "network": ([], 180.0),
    "rules": ([], 180.0),
    "proxy": ([], 180.0),
    "balancing": ([], 180.0),
    "turmoil": ([], 300.0),
    "balancers": ([], 240.0),
    "objects": ([], 180.0),
    "registry": ([], 180.0),
    "logs": ([], 180.0),
    "sessions": ([], 180.0),
    "http_servers": ([], 300.0),
}


def run(name: str, arguments: list[str], seconds: float) -> str:
    """What went wrong, or an empty text."""
    print(f"\n=== {name}", flush=True)
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-m", f"bench.{name}", *arguments]) as process:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            return f"{name}: given up after {seconds:.0f} s"
    print(f"--- {time.monotonic() - began:.0f} s", flush=True)
    return f"{name}: ended with {code}" if code else ""


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("names", nargs="*", metavar="NAME", help=", ".join(MODULES))
    names = arguments.parse_args().names or list(MODULES)
    if unknown := set(names) - MODULES.keys():
        arguments.error(f"there is no {sorted(unknown)[0]}; there are {', '.join(MODULES)}")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows"
        os.environ[GATHERED] = str(rows)
        failures = [failed for name in names if (failed := run(name, *MODULES[name]))]
        load = os.getloadavg()[0]
        print(f"\n=== promised and measured ({os.cpu_count()} cores, load {load:.1f} at the end)")
        for row in gathered(rows):
            print(show(row))
    for failed in failures:
        print(failed, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
