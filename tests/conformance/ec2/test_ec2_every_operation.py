"""What all of EC2's operations have in common, read from the model: dry runs, documented filters, pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from hatoba.services.ec2.absent import FILTERS
from hatoba.services.ec2.api import ec2 as room
from hatoba.services.ec2.api.nothing import KINDS

# botocore's own words, documentation included: the platform's models leave it out.
MODEL = ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")
IMPLEMENTED = [MODEL.operation_model(name) for name in MODEL.operation_names if xform_name(name) in room.handlers]


def having(member: str) -> list[OperationModel]:
    return [operation for operation in IMPLEMENTED if member in operation.input_shape.members]


def least(operation: OperationModel) -> dict[str, Any]:
    """The required members, of the right type and without meaning."""

    def value(shape: Any) -> Any:
        match shape.type_name:
            case "structure":
                names = shape.required_members or [k for k, v in shape.members.items() if v.type_name == "string"]
                return {name: value(shape.members[name]) for name in names}
            case "list":
                return [value(shape.member)]
            case "string":
                return shape.enum[0] if shape.enum else "x"
            case "boolean":
                return True
            case "blob":
                return b"x"
            case _:
                return shape.metadata.get("min", 1)

    given = operation.input_shape
    return {name: value(given.members[name]) for name in given.required_members}


def code(call: Callable[..., Any], **params: Any) -> str:
    try:
        call(**params)
    except ClientError as error:
        found: str = error.response["Error"]["Code"]
        return found
    return ""


def test_a_dry_run_says_that_it_would_and_does_not(ec2: Any) -> None:
    operations = having("DryRun")
    assert len(operations) > 100
    others = {
        operation.name: found
        for operation in operations
        if (found := code(getattr(ec2, xform_name(operation.name)), **least(operation), DryRun=True))
        != "DryRunOperation"
    }
    assert others == {}


_ITEM = re.compile(r"<ul>|</ul>|<li> ?<p> ?(?:<code>([^<]+)</code>|([a-z.-]+) - )")


def documented(operation: OperationModel, member: str = "Filters") -> list[str]:
    """The filters that it has. What stands in lists within the list are values."""
    depth, names = 0, []
    for item in _ITEM.finditer(operation.input_shape.members[member].documentation):
        if item[0] in ("<ul>", "</ul>"):
            depth += 1 if item[0] == "<ul>" else -1
        elif depth == 1:
            names.append((item[1] or item[2]).strip())
    return ["tag:Name" if name == "tag" or name.startswith("tag:") else name for name in names]


def test_the_filters_of_what_there_is_none_of_are_the_documented_ones() -> None:
    """Their names stand in the code, as nothing could be found by them."""
    said = {}
    for kind in KINDS:
        operation = MODEL.operation_model(kind.operation)
        for member in {"Filters", "Filter"} & set(operation.input_shape.members):
            names = set(documented(operation, member)) - {"tag:Name", "tag-key"}
            if names or "tag" in operation.input_shape.members[member].documentation:
                said[kind.operation] = names
    assert {name: set(filters) for name, filters in FILTERS.items()} == said


def test_another_filter_is_refused(ec2: Any, vpc: str, subnet: str) -> None:
    of = {"VpcId": vpc, "SubnetId": subnet}
    taken = {}
    for member in ("Filters", "Filter"):
        for operation in having(member):
            params = {key: of.get(key, value) for key, value in least(operation).items() if key != member}
            asked = {**params, member: [{"Name": "no-such-filter", "Values": ["x"]}]}
            found = code(getattr(ec2, xform_name(operation.name)), **asked)
            if found not in ("InvalidParameterValue", "InvalidFilter") and documented(operation, member):
                taken[operation.name] = found
    assert taken == {}


def test_who_names_what_there_is_none_of_is_told_so(ec2: Any) -> None:
    """Whatever member names them; but for whose they are."""
    unheard = {}
    for kind in KINDS:
        for member, shape in MODEL.operation_model(kind.operation).input_shape.members.items():
            named = shape.type_name == "list" and shape.member.type_name == "string"
            if named and member not in ("Owners", "OwnerIds", "ExecutableUsers", "RestorableByUserIds"):
                asked = {member: [shape.member.enum[0] if shape.member.enum else "x-0123456789abcdef0"]}
                found = code(getattr(ec2, xform_name(kind.operation)), **asked)
                if not re.search(r"\.(NotFound(Exception)?|Unknown|Malformed)$|^InvalidInstanceType$|Id$", found):
                    unheard[kind.operation, member] = found
    assert unheard == {}


@pytest.mark.usefixtures("vpc")
def test_every_documented_filter_is_known(ec2: Any, vpc: str, subnet: str) -> None:
    """And what nothing has is not found."""
    ec2.create_network_interface(SubnetId=subnet)
    ec2.allocate_address()
    of = {"VpcId": vpc, "SubnetId": subnet}
    wrong: dict[str, list[str]] = {}
    for operation in having("Filters"):
        call = getattr(ec2, xform_name(operation.name))
        params = {key: of.get(key, value) for key, value in least(operation).items() if key != "Filters"}
        for wanted in documented(operation):
            try:
                found = call(**params, Filters=[{"Name": wanted, "Values": ["no-such-value"]}])
            except ClientError as error:
                wrong.setdefault(operation.name, []).append(f"{wanted}: {error.response['Error']['Code']}")
                continue
            if any(value for value in found.values() if isinstance(value, list)):
                wrong.setdefault(operation.name, []).append(f"{wanted}: ignored")
    assert wrong == {}


def test_a_token_of_nobodys_is_refused(ec2: Any, vpc: str, subnet: str) -> None:
    of = {"VpcId": vpc, "SubnetId": subnet}
    taken = []
    for operation in having("NextToken"):
        if "NextToken" in operation.output_shape.members:
            params = {key: of.get(key, value) for key, value in least(operation).items()}
            found = code(getattr(ec2, xform_name(operation.name)), **params, NextToken="made-up")
            if found != "InvalidNextToken" and not found.endswith(("NotFound", "Malformed")):
                taken.append((operation.name, found))
    assert taken == []
