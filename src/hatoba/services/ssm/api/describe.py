"""DescribeParameters: everything about parameters but their values."""

from __future__ import annotations

from collections.abc import Iterator

from hatoba.aws.shapes import ssm as t
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.gateway.tags import tags_of
from hatoba.services.ssm import model, views
from hatoba.services.ssm.api.room import after, bad_token, ssm
from hatoba.services.ssm.model import Parameter, Version
from hatoba.services.ssm.plan import filters
from hatoba.services.ssm.plan.filters import Facts, Filter
from hatoba.services.ssm.plan.names import invalid
from hatoba.store.store import View

PAGE = 50


def facts(view: View, parameter: Parameter, version: Version, wanted: tuple[Filter, ...]) -> Facts:
    """What the filters ask for; tags, which cost most, only when one does."""
    tagged = any(each.key.startswith("tag:") for each in wanted)
    arn = model.parameter_arn(parameter.scope, parameter.id)
    return Facts(
        name=parameter.id,
        type=version.type,
        key_id=version.key_id,
        tier=parameter.tier,
        data_type=version.data_type,
        labels=version.labels,
        tags=tags_of(view, parameter.scope, arn) if tagged else {},
    )


@ssm.operation
async def describe_parameters(req: t.DescribeParametersRequest, call: Call) -> t.DescribeParametersResult:
    if req.get("Filters") and req.get("ParameterFilters"):
        raise invalid("You can use either Filters or ParameterFilters in a single request.")
    wanted = (*filters.checked(req.get("ParameterFilters", [])), *filters.old(req.get("Filters", [])))
    about, token = (wanted, req.get("Shared", False)), req.get("NextToken")
    # What others have shared: there are no shares here, so nothing.
    rows = iter(()) if req.get("Shared", False) else _matching(call, wanted, after(call, token, about))
    page, token = call.page(
        rows,
        order=lambda found: found[0].id,
        token=token,
        limit=req.get("MaxResults", PAGE),
        filters=about,
        bad_token=bad_token,
    )
    return {"Parameters": [views.metadata(*found) for found in page], **next_token(token)}


def _matching(call: Call, wanted: tuple[Filter, ...], past: str | None) -> Iterator[tuple[Parameter, Version]]:
    view = call.store
    named = next((each for each in wanted if each.key == "Name" and each.option == "Equals"), None)
    if named is None:
        rows = view.scan(model.parameters, call.scope, past)
    else:
        found = (view.find(model.parameters, call.scope, name) for name in sorted(set(named.values)))
        rows = iter([parameter for parameter in found if parameter is not None])
    for parameter in rows:
        version = model.latest(view, parameter)
        about = facts(view, parameter, version, wanted)
        if all(each.matches(about) for each in wanted):
            yield parameter, version
