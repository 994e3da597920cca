"""Hybrid activations: with an id and a code, machines of one's own become managed instances, and external ones of ECS.

The code says where the control plane is and what its certificate is, beside its secret: so it is longer than AWS's, and
a machine that has it knows whom it talks to (`fleet/enrol`). It is told once; what is kept is its digest.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import unquote

from hatoba.aws.shapes import ssm as t
from hatoba.core.arn import parse
from hatoba.core.errors import AwsError
from hatoba.fleet.enrol import Enrolments
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.services.ssm import model, views
from hatoba.services.ssm.api.room import bad_token, ssm
from hatoba.services.ssm.api.tag import checked
from hatoba.services.ssm.model import Activation

DAY = 86400.0
LONGEST = 30 * DAY
PRINCIPAL = "ssm.amazonaws.com"
PAGE = 50
_FILTERS: dict[str, Callable[[Activation], str]] = {
    "ActivationIds": lambda record: record.id,
    "DefaultInstanceName": lambda record: record.name,
    "IamRole": lambda record: record.role,
}


@ssm.operation
async def create_activation(req: t.CreateActivationRequest, call: Call) -> t.CreateActivationResult:
    if req.get("RegistrationMetadata"):
        raise t.InvalidParameters("RegistrationMetadata is reserved for internal use.")
    expires = req.get("ExpirationDate", call.now + DAY)
    if not call.now < expires <= call.now + LONGEST:
        raise t.InvalidParameters("The ExpirationDate must be in the future, and within 30 days.")
    await check_role(call, req["IamRole"])
    tags = _tags(req)
    code, id_ = call.get(Enrolments).code(), call.ids.uuid()
    with call.tx() as tx:
        tx.put(
            model.activations,
            Activation(
                key=model.activations.key(call.scope, id_),
                digest=code.digest,
                role=req["IamRole"],
                limit=req.get("RegistrationLimit", 1),
                expires=expires,
                created=call.now,
                description=req.get("Description", ""),
                name=req.get("DefaultInstanceName", ""),
                tags=tags,
            ),
        )
    return {"ActivationId": id_, "ActivationCode": code.text()}


def _tags(req: t.CreateActivationRequest) -> dict[str, str]:
    try:
        return checked({}, req.get("Tags") or ())
    except t.TooManyTagsError as error:
        raise t.InvalidParameters(str(error)) from None  # the only error that this operation has


async def check_role(call: Call, role: str) -> None:
    """It is there, and Systems Manager may assume it."""
    parsed = parse(role)
    name = (parsed.resource if parsed is not None else role).rpartition("/")[2]
    try:
        found = (await call.aws.iam.get_role(RoleName=name))["Role"]
    except AwsError as error:
        if error.status >= 500:
            raise
        found = {"Arn": f"arn:{call.scope.partition}:iam::{call.scope.account}:role/{role}"}
    if not _trusts(found.get("AssumeRolePolicyDocument", "{}")):
        raise AwsError(
            f"Nonexistent role or missing ssm service principal in trust policy: {found['Arn']}",
            code="ValidationException",
        )


def _trusts(document: str) -> bool:
    """Some statement allows the service to assume the role. What more it says, STS decides when it is assumed."""
    statements = json.loads(unquote(document)).get("Statement") or []
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        named = principal.get("Service") if isinstance(principal, dict) else principal
        if statement.get("Effect") == "Allow" and {PRINCIPAL, "*"} & set(named if isinstance(named, list) else [named]):
            return True
    return False


@ssm.operation
async def describe_activations(req: t.DescribeActivationsRequest, call: Call) -> t.DescribeActivationsResult:
    filters = req.get("Filters") or ()
    rows = list(call.store.scan(model.activations, call.scope))
    for wanted in filters:
        if "FilterKey" not in wanted:
            raise t.InvalidFilter("A filter must have a FilterKey.")
        of, values = _FILTERS[wanted["FilterKey"]], set(wanted.get("FilterValues") or ())
        rows = [row for row in rows if of(row) in values]
    page, token = call.page(
        rows,
        order=lambda row: row.id,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=filters,
        bad_token=bad_token,
    )
    return {"ActivationList": [views.activation(row, call.now) for row in page], **next_token(token)}


@ssm.operation
async def delete_activation(req: t.DeleteActivationRequest, call: Call) -> t.DeleteActivationResult:
    """Nobody is let in with it any more; who was, stays."""
    key = model.activations.key(call.scope, req["ActivationId"])
    with call.tx() as tx:
        if tx.forget(model.activations, key) is None:
            raise t.InvalidActivationId(f"The activation ID {req['ActivationId']} is not valid.")
    return {}
