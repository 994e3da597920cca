"""What the error answers of all protocols have in common: the shape behind an error and its members."""

from __future__ import annotations

from typing import Any

from hatoba.aws.models import ServiceModel, Shape
from hatoba.core.errors import AwsError


def declared_shape(model: ServiceModel, error: AwsError) -> Shape | None:
    """The model's shape of an error: by the class it was raised as, else by its code."""
    return model.error(getattr(error, "shape", error.code)) or model.error(error.code)


def message_member(shape: Shape | None) -> str:
    """`message` or `Message`, whichever the shape has."""
    return "Message" if shape is not None and "Message" in shape.members else "message"


def error_members(error: AwsError, shape: Shape | None) -> dict[str, Any]:
    """The error's members, message included, in the model's names."""
    members = {name: value for name, value in error.members.items() if value is not None}
    return {message_member(shape): error.message} | members


def query_error(error: AwsError, shape: Shape | None) -> str:
    """The `x-amzn-query-error` header: what the service called this error when it spoke the query protocol."""
    return f"{shape.code if shape is not None else error.code};{error.fault}"
