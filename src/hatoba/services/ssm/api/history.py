"""GetParameterHistory: all versions that are kept, the oldest first."""

from __future__ import annotations

from hatoba.aws.shapes import ssm as t
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.services.ssm import envelope, model, views
from hatoba.services.ssm.api.room import bad_token, find, ssm

PAGE = 50


@ssm.operation
async def get_parameter_history(req: t.GetParameterHistoryRequest, call: Call) -> t.GetParameterHistoryResult:
    parameter = find(call.store, call, req["Name"])
    page, token = call.page(
        model.versions_of(call.store, parameter.scope, parameter.id),
        order=lambda version: version.id,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=parameter.id,
        bad_token=bad_token,
    )
    decrypt = req.get("WithDecryption", False)
    shown = [views.history(each, await envelope.value_of(call, each, decrypt=decrypt)) for each in page]
    return {"Parameters": shown, **next_token(token)}
