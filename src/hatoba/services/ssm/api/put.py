"""PutParameter: a new parameter, or a new version of one.

What a request does not say stays as it was in the version before: type, description, pattern, key, data type, policies.
"""

from __future__ import annotations

from hatoba.aws.shapes import ssm as t
from hatoba.core import arn
from hatoba.core.records import replace
from hatoba.core.secret import Secret
from hatoba.gateway.call import Call
from hatoba.gateway.tags import set_tags
from hatoba.services.ssm import allowed, envelope, model
from hatoba.services.ssm.api.room import ssm
from hatoba.services.ssm.api.setting import default_tier
from hatoba.services.ssm.api.tag import checked as checked_tags
from hatoba.services.ssm.model import MOST_VERSIONS, Parameter, Version
from hatoba.services.ssm.plan import policies, values
from hatoba.services.ssm.plan.names import checked_name, invalid
from hatoba.store import Tx
from hatoba.store.store import View

ATTEMPTS = 4  # each of them but the first because somebody changed the key, the tier or the pattern meanwhile
MOST = {"Standard": 10_000, "Advanced": 100_000}


@ssm.operation
async def put_parameter(req: t.PutParameterRequest, call: Call) -> t.PutParameterResult:
    name = checked_name(req["Name"], len(arn.make(call.scope, "ssm", "parameter/")))
    tags = checked_tags({}, req.get("Tags", []))
    if tags and req.get("Overwrite", False):
        raise invalid(
            "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please "
            "remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or "
            "RemoveTagsFromResource."
        )
    basis, ciphertext = None, None
    for _ in range(ATTEMPTS):
        with call.tx() as tx:
            parameter = _present(tx, call, req, name)
            version = _version(tx, call, req, parameter, name)
            if _basis(version) == basis:
                _write(tx, call, parameter, replace(version, ciphertext=ciphertext), given=req.get("Policies"))
                set_tags(tx, call.scope, model.parameter_arn(call.scope, name), tags)
                return {"Version": version.number, "Tier": version.tier}
        # What has to be awaited is done outside, for what is wanted by now; others may write meanwhile.
        basis = _basis(version)
        ciphertext = await _prepared(call, version, req["Value"])
    raise t.TooManyUpdates("There are concurrent updates for a resource that supports one update at a time.")


def _basis(version: Version) -> tuple[object, ...]:
    """What the part that is awaited depends on."""
    return version.type, version.key_id, version.tier, version.pattern


async def _prepared(call: Call, version: Version, value: str) -> bytes | None:
    """The ciphertext of a SecureString, once it is sure that the value matches its pattern."""
    if version.pattern is not None:
        await allowed.check(version.pattern, value)
    if version.key_id is None:
        return None
    return await envelope.encrypted(call, version.name, value, version.key_id, version.tier)


def _present(view: View, call: Call, req: t.PutParameterRequest, name: str) -> Parameter | None:
    """The parameter that gets a new version. Raises when there is one and it may not."""
    parameter = view.find(model.parameters, call.scope, name)
    other = model.twin(name)
    if parameter is None and other is not None and view.find(model.parameters, call.scope, other) is not None:
        raise t.ParameterAlreadyExists(f"The parameter {other} already exists, and has the same ARN.")
    if parameter is not None and not req.get("Overwrite", False):
        raise t.ParameterAlreadyExists(
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
        )
    return parameter


def _version(view: View, call: Call, req: t.PutParameterRequest, parameter: Parameter | None, name: str) -> Version:
    """What the request makes of the version before, but for its ciphertext. Raises for all that is wrong with it."""
    before = model.latest(view, parameter) if parameter is not None else None
    value, type_ = req["Value"], _type(req, before)
    description = req.get("Description", before.description if before is not None else None)
    pattern = req.get("AllowedPattern", before.pattern if before is not None else None) or None
    data_type = req.get("DataType") or (before.data_type if before is not None else "text")
    given = req.get("Policies")
    kept = parameter.policies if parameter is not None else ()
    wanted = policies.parse(given) if given is not None else policies.renewed(kept)
    size = len(value.encode())
    values.check_value(value, type_, data_type)
    present = parameter.tier if parameter is not None else None
    tier = values.tier_for(req.get("Tier"), present, size, bool(wanted), default_tier(call))
    values.check_size(size, tier)
    if wanted and tier == "Standard":
        raise invalid("Parameter policies can be used only with advanced parameters. Set the tier to Advanced.")
    number = parameter.latest + 1 if parameter is not None else 1
    version = Version(
        key=model.versions.key(call.scope, model.version_key(name, number)),
        name=name,
        number=number,
        type=type_,
        description=description,
        pattern=pattern,
        tier=tier,
        policies=wanted,
        data_type=data_type,
        modified=call.now,
        user=call.principal.arn,
    )
    if type_ != "SecureString":
        if req.get("KeyId"):
            raise invalid("KeyId is only supported for SecureString parameters.")
        return replace(version, value=Secret(value))
    key_id = req.get("KeyId") or (before.key_id if before is not None else None) or envelope.DEFAULT_KEY
    return replace(version, key_id=key_id)


def _type(req: t.PutParameterRequest, before: Version | None) -> values.Type:
    wanted = req.get("Type")
    if before is None:
        if wanted is None:
            raise invalid("A parameter type is required when you create a parameter.")
        return wanted
    if wanted is not None and wanted != before.type:
        raise t.HierarchyTypeMismatchException(
            f"The parameter {before.name} has the type {before.type}. You can't change a parameter's type: create "
            "a new, unique parameter."
        )
    return before.type


def _write(tx: Tx, call: Call, parameter: Parameter | None, version: Version, *, given: str | None) -> None:
    if parameter is None:
        _check_count(tx, call, version.tier)
        record = Parameter(
            key=model.parameters.key(call.scope, version.name),
            latest=0,
            created=version.modified,
            policies=version.policies,
        )
    else:
        _drop_oldest(tx, parameter)
        kept = version.policies if given is not None else policies.renewed(parameter.policies)
        record = replace(parameter, policies=kept)
    tx.put(model.parameters, replace(record, latest=version.number, tier=version.tier))
    tx.put(model.versions, version)


def _check_count(tx: Tx, call: Call, tier: values.Tier) -> None:
    if tx.count(model.parameters, "tier", (call.scope, tier)) >= MOST[tier]:
        raise t.ParameterLimitExceeded(
            f"You have exceeded the number of {tier.lower()} parameters for this Amazon Web Services account: "
            f"{MOST[tier]}. Delete one or more parameters and try again."
        )


def _drop_oldest(tx: Tx, parameter: Parameter) -> None:
    """The history has a hundred versions."""
    if tx.count(model.versions, "name", (parameter.scope, parameter.id)) < MOST_VERSIONS:
        return
    oldest = model.versions_of(tx, parameter.scope, parameter.id)[0]
    if oldest.labels:
        raise t.ParameterMaxVersionLimitExceeded(
            f"You attempted to create a new version of {parameter.id} by calling the PutParameter API with the "
            f"overwrite flag. Version {oldest.number}, the oldest version, can't be deleted because it has a label "
            "associated with it. Move the label to another version of the parameter, and try again."
        )
    tx.forget(model.versions, oldest.key)
