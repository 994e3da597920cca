"""A check, taken out: so that a test of an attack shows that it is this check which stops it.

    with without("hatoba.aws.sigv4.verify:_check_time", "time > now + SKEW", "False"): …

The function's source is compiled again with one piece of its text replaced, and its code put in the place of the old:
whoever imported the function runs the new one. A piece that is not there (any more) fails the test.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any


@contextmanager
def without(target: str, old: str, new: str) -> Iterator[None]:
    """`target` is `module:function` or `module:Class.method`."""
    function = _function(target)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{target} has {old!r} {source.count(old)} times"
    kept = function.__code__
    function.__code__ = _code(compile(source.replace(old, new), target, "exec"), function.__name__)
    try:
        yield
    finally:
        function.__code__ = kept


def _function(target: str) -> FunctionType:
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    found = inspect.unwrap(getattr(found, "__func__", found))
    assert isinstance(found, FunctionType)
    return found


def _code(module: CodeType, name: str) -> CodeType:
    return next(part for part in module.co_consts if isinstance(part, CodeType) and part.co_name == name)
