"""Controllers and what runs them.

    controller   the protocol: `keys`, `wakes`, `reconcile(key)`
    queue        keyed serial queue: one run per key at a time, hints that arrive meanwhile merge into one more run
    runner       wakes by the feed, by deadlines and by a slow period; backs off a key that fails

A reconcile takes no input but its key, reads afresh, performs, writes what it observed, and returns when to look again.
It retries nothing: the next activation is the retry. A hint, a restart and a fail-over take the same path.
"""

from hatoba.reconcile.controller import Controller, Listening, Published, Wake
from hatoba.reconcile.runner import Runner

__all__ = ["Controller", "Listening", "Published", "Runner", "Wake"]
