"""Reading values: one, up to ten, or those under a path."""

from __future__ import annotations

from hatoba.aws.shapes import ssm as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.services.ssm import envelope, model, reference, views
from hatoba.services.ssm.api.describe import facts
from hatoba.services.ssm.api.room import after, asked, bad_token, resolve, ssm, unknown
from hatoba.services.ssm.model import Found, Parameter
from hatoba.services.ssm.plan import filters, public
from hatoba.services.ssm.plan.names import Selected, checked_path, is_public, selected

PAGE = 10


@ssm.operation
async def get_parameter(req: t.GetParameterRequest, call: Call) -> t.GetParameterResult:
    decrypt = req.get("WithDecryption", False)
    if reference.is_reference(req["Name"]):
        return {"Parameter": await reference.parameter(call, req["Name"], decrypt=decrypt)}
    return {"Parameter": await _one(call, asked(call, req["Name"]), decrypt=decrypt)}


@ssm.operation
async def get_parameters(req: t.GetParametersRequest, call: Call) -> t.GetParametersResult:
    found: list[t.Parameter] = []
    missing: list[str] = []
    decrypt = req.get("WithDecryption", False)
    for name in dict.fromkeys(req["Names"]):
        wanted = selected(name)
        try:
            if reference.is_reference(name):
                found.append(await reference.parameter(call, name, decrypt=decrypt))
            elif wanted is not None:
                found.append(await _one(call, wanted, decrypt=decrypt))
            else:
                missing.append(name)
        except (t.ParameterNotFound, t.ParameterVersionNotFound):
            missing.append(name)
    return {"Parameters": sorted(found, key=lambda shown: shown["Name"]), "InvalidParameters": missing}


@ssm.operation
async def get_parameters_by_path(req: t.GetParametersByPathRequest, call: Call) -> t.GetParametersByPathResult:
    path, recursive = checked_path(req["Path"]), req.get("Recursive", False)
    wanted = filters.checked(req.get("ParameterFilters", []), by_path=True)
    limit = req.get("MaxResults", PAGE)
    about = (path, recursive, wanted)
    if is_public(f"{path}/"):
        published = public.under(call.scope.region, path, recursive=recursive) if not wanted else []
        shown, token = call.page(
            published,
            order=lambda each: each.name,
            token=req.get("NextToken"),
            limit=limit,
            filters=about,
            bad_token=bad_token,
        )
        return _answer([views.public(call.scope, each) for each in shown], token)
    past = after(call, req.get("NextToken"), about) or ""
    index = "under" if recursive else "folder"
    rows = (row for row in call.store.index(model.parameters, index, (call.scope, path)) if row.id > past)
    page, token = call.page(
        (found for parameter in rows for found in _matching(call, parameter, wanted)),
        order=lambda found: found.parameter.id,
        token=req.get("NextToken"),
        limit=limit,
        filters=about,
        bad_token=bad_token,
    )
    decrypt = req.get("WithDecryption", False)
    return _answer([await _shown(call, found, decrypt=decrypt) for found in page], token)


def _answer(shown: list[t.Parameter], token: str | None) -> t.GetParametersByPathResult:
    return {"Parameters": shown, **next_token(token)}


def _matching(call: Call, parameter: Parameter, wanted: tuple[filters.Filter, ...]) -> list[Found]:
    """With a filter by label, a parameter is shown in the version that has it."""
    labels = next((each.values for each in wanted if each.key == "Label"), None)
    version = model.latest(call.store, parameter)
    if labels is not None:
        found = (model.labelled(call.store, parameter.scope, parameter.id, label) for label in labels)
        version_ = next((each for each in found if each is not None), None)
        if version_ is None:
            return []
        version = version_
    about = facts(call.store, parameter, version, wanted)
    return [Found(parameter=parameter, version=version)] if all(each.matches(about) for each in wanted) else []


async def _one(call: Call, wanted: Selected, *, decrypt: bool) -> t.Parameter:
    if is_public(wanted.name):
        return _public(call, wanted)
    return await _shown(call, resolve(call.store, call, wanted), decrypt=decrypt)


def _public(call: Call, wanted: Selected) -> t.Parameter:
    found = public.find(call.scope.region, wanted.name)
    if found is None:
        raise unknown(wanted.name)
    if wanted.label is not None or (wanted.number is not None and wanted.number != found.version):
        raise _no_version(wanted)
    return views.public(call.scope, found, wanted.selector)


def _no_version(wanted: Selected) -> AwsError:
    return t.ParameterVersionNotFound(
        f"Systems Manager could not find version {wanted.selector[1:]} of {wanted.name}. "
        "Verify the version and try again."
    )


async def _shown(call: Call, found: Found, *, decrypt: bool) -> t.Parameter:
    return views.parameter(found, await envelope.value_of(call, found.version, decrypt=decrypt))
