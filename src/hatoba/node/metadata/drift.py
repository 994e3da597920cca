"""What the kernel knows of its own clock: whether something keeps it right, and how wrong it may be (adjtimex)."""

from __future__ import annotations

import ctypes

from hatoba.node.metadata.views import Drift

_UNSYNCHRONIZED = 0x40


class _Timex(ctypes.Structure):
    """<linux/timex.h>, as far as it is read, with room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


_libc = ctypes.CDLL(None)


def drift(now: float) -> Drift:
    """`now`: the wall time, which the answer is about."""
    found = _Timex()  # no modes: nothing is changed
    _libc.adjtimex(ctypes.byref(found))
    return Drift(bound=found.maxerror / 1000, at=now, synchronized=not found.status & _UNSYNCHRONIZED)
