"""Debian's own kernel as a process (User Mode Linux): for what the kernel of this machine cannot show.

    .venv/bin/python -m tools.uml COMMAND...

runs the command as root in this folder, on this machine's files, and ends as it does. What it writes is forgotten. It
finds cgroups of version 2 with all of their controllers, as on any Debian since 11, whatever this machine has; one CPU;
no network but loopback; /tmp in memory. Calls of the kernel take ten times as long.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "user-mode-linux"
FOLDER = Path(".venv/uml").absolute()  # where the package is unpacked: nothing of the machine's is changed
MEMORY = "4G"
_END = "uml: ended with "

# Process 1. The machine's root can be read only; an overlay in memory takes what is written, and modules their place.
_INIT = """\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp PYTHONDONTWRITEBYTECODE=1
mount -t proc proc /proc
busybox insmod {modules}/kernel/fs/overlayfs/overlay.ko
mount -t tmpfs memory /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
mkdir -p /mnt/root/machine /mnt/root/lib/modules/{release}
cd /mnt/root
pivot_root . machine
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs devices /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts terminals /dev/pts
for each in /dev/shm /run; do mount -t tmpfs memory $each; done
mkdir -p /run/t
mount -t cgroup2 groups /sys/fs/cgroup
mount --bind /machine{modules} /lib/modules/{release}
ln -sf "$(command -v busybox)" /sbin/modprobe
for each in {wanted}; do modprobe $each; done
ip link set lo up
cd {here}
export TMPDIR=/run/t
{command} </dev/null 2>&1
echo "{end}$?"
echo o > /proc/sysrq-trigger
sleep 60
"""
_WANTED = "ipv6 nf_tables nft_ct nft_chain_nat nft_masq nft_redir veth vxlan loop"


def fetch() -> Path:
    """The folder of the unpacked package."""
    if not (FOLDER / "usr/bin/linux.uml").exists():
        with tempfile.TemporaryDirectory() as folder:
            get = ["apt-get", "download", "-q", PACKAGE]
            if subprocess.run(get, cwd=folder, capture_output=True, check=False).returncode:
                subprocess.run(["apt-get", "update", "-qq"], check=True)
                subprocess.run(get, cwd=folder, capture_output=True, check=True)
            [package] = Path(folder).glob("*.deb")
            subprocess.run(["dpkg-deb", "-x", package, FOLDER], check=True)
    return FOLDER


def run(command: list[str], seconds: float) -> tuple[int, str]:
    """Its exit code, -1 when it did not come to one in time; and what it printed."""
    folder = fetch()
    [modules] = (folder / "usr/lib/uml/modules").iterdir()
    with tempfile.TemporaryDirectory() as place:
        init = Path(place) / "init"
        names = {"modules": modules, "release": modules.name, "wanted": _WANTED, "here": os.getcwd(), "end": _END}
        init.write_text(_INIT.format(command=shlex.join(command), **names))
        init.chmod(0o755)
        root = ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}"]
        console = ["quiet", "con=null", "con0=null,fd:1", f"uml_dir={place}", f"mem={MEMORY}"]
        with subprocess.Popen(
            [folder / "usr/bin/linux.uml", *root, *console],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # each of its processes is one of ours
        ) as process:
            try:
                said, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                said, _ = process.communicate()
    said, _, code = said.rpartition(_END)
    return (int(code.split()[0]), said) if said else (-1, code)


if __name__ == "__main__":
    code, said = run(sys.argv[1:], 3600.0)
    sys.stdout.write(said)
    sys.exit(code)
