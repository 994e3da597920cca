"""What a shapes module does at run time: it makes a name when it is first used.

Exceptions are real classes, cached so that `except t.ClusterNotFoundException` works. Structures appear in annotations
only, or as constructors (`t.Tag(key="a")`), for which `dict` is the same thing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hatoba.aws import models
from hatoba.core.errors import AwsError


def exporter(service: str) -> Callable[[str], Any]:
    """The `__getattr__` of a service's module."""

    def __getattr__(name: str) -> Any:
        if not name.startswith("_"):
            shape = models.load(service).shapes.get(name)
            if shape is not None and shape.exception:
                return error_class(service, name)
            if shape is not None:
                return {"structure": dict, "list": list, "map": dict}.get(shape.type, str)
        raise AttributeError(f"{service} has no shape named {name!r}")

    return __getattr__


_classes: dict[tuple[str, str], type[AwsError]] = {}


def error_class(service: str, name: str) -> type[AwsError]:
    """The exception class of a model's error shape."""
    found = _classes.get((service, name))
    if found is None:
        shape = models.load(service).shapes[name]
        body = {
            "__module__": f"hatoba.aws.shapes.{service}",
            "code": shape.code,
            "status": shape.status,
            "shape": name,
        }
        found = _classes[(service, name)] = type(name, (AwsError,), body)
    return found
