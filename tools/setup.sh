#!/usr/bin/env bash
# Installs what is missing on a Debian or Ubuntu machine: Debian packages, then the virtual environment in .venv.
# Quiet when there is nothing to do; safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."

# name of the package : a file or command that shows that it is there
PACKAGES=(
    containerd:containerd          # runs containers (its own instance, under the data directory)
    crun:crun                      # the OCI runtime below it
    golang-github-containers-common:/usr/share/containers/seccomp.json   # the default seccomp profile
    tini:tini-static               # the init process of tasks that ask for one
    catatonit:catatonit            # holds the namespaces that a task's containers share
    e2fsprogs:mkfs.ext4            # the disk of a task whose storage is limited
    util-linux:nsenter             # starts Envoy in a VPC's namespace
    libnftables1:/usr/share/doc/libnftables1   # packet rules, in process
    busybox-static:/bin/busybox    # sample and test images
    golang-github-containerd-containerd-dev:/usr/share/gocode/src/github.com/containerd/containerd  # its .proto files
    skopeo:skopeo                  # pushes and inspects images, in the demo and the tests
    buildah:buildah                # builds images
    mmdebstrap:mmdebstrap          # root file systems from Debian packages
    awscli:/usr/share/doc/awscli   # the stock AWS CLI, for the demo and the tests
    gcc:gcc                        # compiles the module that writes trace headers inside Envoy
    libc6-dev:/usr/include/stdlib.h   # what it is compiled against
    iproute2:ip
    curl:curl
    strace:strace                  # what a process writes, for the tests of power cuts
    wrk:wrk                        # load, for the benchmarks
    python3-venv:/usr/share/doc/python3-venv
)

missing=()
for entry in "${PACKAGES[@]}"; do
    package=${entry%%:*} proof=${entry#*:}
    if [[ $proof == /* ]]; then [[ -e $proof ]] || missing+=("$package")
    else command -v "$proof" >/dev/null 2>&1 || missing+=("$package"); fi
done

as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo "$@"; fi; }

if ((${#missing[@]})); then
    echo "setup: installing ${missing[*]}"
    as_root apt-get update -qq
    # Their system services must not start: Hatoba runs its own instances.
    policy=/usr/sbin/policy-rc.d
    made_policy=no
    if [[ ! -e $policy ]]; then printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null; as_root chmod +x $policy; made_policy=yes; fi
    DEBIAN_FRONTEND=noninteractive as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    [[ $made_policy == no ]] || as_root rm -f $policy
fi

python=${PYTHON:-python3}
if [[ ! -x .venv/bin/python ]]; then
    echo "setup: creating .venv"
    "$python" -m venv .venv
fi
if ! cmp -s requirements-dev.lock .venv/.installed.lock; then
    echo "setup: installing Python packages"
    .venv/bin/python -m pip install -q --require-hashes -r requirements-dev.lock
    .venv/bin/python -m pip install -q --no-deps --no-build-isolation -e . 2>/dev/null \
        || .venv/bin/python -m pip install -q --no-deps -e .
    cp requirements-dev.lock .venv/.installed.lock
fi
.venv/bin/python tools/compile_protos.py
.venv/bin/python tools/compile_module.py
