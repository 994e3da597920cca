"""Work that would hold up the loop, in a few threads of its own: however much of it there is, it keeps nobody else's
work waiting. The loop's default threads are everybody's."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """At most `width` at once, the others in their order. The threads start with the first work."""

    def __init__(self, name: str, width: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=width, thread_name_prefix=name)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, functools.partial(work, *args, **kwargs))
