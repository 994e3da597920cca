"""Regular expressions that users write, matched in linear time (RE2, as the log drivers of docker do, whose options
these are). With Python's own, one pattern of one container could keep the whole agent busy for ever.
"""

from __future__ import annotations

from collections.abc import Callable

import re2  # type: ignore[import-untyped]

from hatoba.core.errors import HatobaError

_MEMORY = 1 << 20  # bytes that one pattern may take


class BadPattern(HatobaError):
    """Why it is no pattern."""


def finder(pattern: str) -> Callable[[str], bool]:
    """Whether a text has the pattern somewhere. Raises `BadPattern`."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        compiled = re2.compile(pattern, options=options)
    except re2.error as error:
        said = error.args[0] if error.args else error
        raise BadPattern(said.decode() if isinstance(said, bytes) else str(said)) from None
    return lambda text: compiled.search(text) is not None
