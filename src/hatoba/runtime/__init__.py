"""Runs containers on one machine: the port (`base`), containerd behind it, and a simulated twin.

    base          what a node agent says and hears: specs, images, events, the `Runtime` protocol
    failures      what may go wrong
    containerd    the real thing: process, gRPC channel, images, containers, events
    simulated     the same behaviour on the event loop's clock, with failures on demand
    distribution  an OCI distribution client that fetches images
    stubs         containerd's messages, compiled from its protocol files

Decisions (pure):

    merge         image defaults and a task's wishes → what really runs
    check         what is wrong with a spec on any machine
    oci           container spec → OCI runtime config, with `seccomp`, `capabilities` and `users` beside it
    placed        where secret files may be

The machine:

    machine       what of it shows in a container's config
    cgroups       where limits and counters are found: cgroup v1, hybrid and v2
    groups        limits for all containers of a task   stats         what containers use
    devices       the host's device nodes

    coalesce      what several ask for is done once     feed          events to everyone who listens
"""
