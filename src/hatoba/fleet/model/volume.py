"""A volume that is more than an empty folder which lives as long as its workload."""

from __future__ import annotations

import msgspec

from hatoba.fleet.model.part import Part


class VolumeWanted(Part, frozen=True, kw_only=True):
    """`filesystem`, `device` and `options` are as mount(8) takes them; without a file system it is a folder."""

    name: str  # as the containers' mounts call it
    shared: bool = False  # it stays on the node under this name, for whoever comes next
    provision: bool = True  # made when it is not there
    filesystem: str = ""
    device: str = ""
    options: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
