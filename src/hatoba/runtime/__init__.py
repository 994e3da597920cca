"""Runs containers on one machine: the port (`base`), containerd behind it, and a simulated twin.

    base        what a node agent says and hears: specs, images, events, errors, the `Runtime` protocol
    oci         container spec → OCI runtime config (pure), with `seccomp`, `capabilities`, `mounts`, `users` beside it
    merge       image defaults and a task's wishes → what really runs (pure)
    cgroups     where limits and counters are found: cgroup v1, hybrid and v2
    registry    an OCI distribution client that fetches images
    containerd  the real thing: process, gRPC channel, images, containers, events
    simulated   the same behaviour on the event loop's clock, with failures on demand

Knows no tasks, services or AWS words.
"""
