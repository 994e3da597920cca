"""CPU and memory of a task as users write them (`1024`, `1 vCPU`, `0.5 GB`), and the sizes that Fargate offers."""

from __future__ import annotations

import re

_CPU = re.compile(r"(\d+|\d*\.\d+|\d+\.)\s*vcpus?", re.IGNORECASE)
_MEMORY = re.compile(r"(\d+|\d*\.\d+|\d+\.)\s*gb", re.IGNORECASE)

_GB = 1024
FARGATE: dict[int, tuple[int, ...]] = {
    256: (512, 1 * _GB, 2 * _GB),
    512: tuple(n * _GB for n in range(1, 5)),
    1024: tuple(n * _GB for n in range(2, 9)),
    2048: tuple(n * _GB for n in range(4, 17)),
    4096: tuple(n * _GB for n in range(8, 31)),
    8192: tuple(n * _GB for n in range(16, 61, 4)),
    16384: tuple(n * _GB for n in range(32, 121, 8)),
}


def cpu_units(text: str) -> int | None:
    """Units of 1/1024 core; None when it is no size."""
    return _size(text, _CPU)


def memory_mib(text: str) -> int | None:
    return _size(text, _MEMORY)


def _size(text: str, unit: re.Pattern[str]) -> int | None:
    text = text.strip()
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= 9 else None
    match = unit.fullmatch(text)
    if match is None or len(match[1]) > 9:
        return None
    return round(float(match[1]) * 1024)


def fargate_offers(cpu: int, memory: int) -> bool:
    return memory in FARGATE.get(cpu, ())
