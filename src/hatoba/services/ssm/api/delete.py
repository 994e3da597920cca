"""Deleting parameters, with their history."""

from __future__ import annotations

from hatoba.aws.shapes import ssm as t
from hatoba.gateway.call import Call
from hatoba.services.ssm import model
from hatoba.services.ssm.api.room import find, ssm


@ssm.operation
async def delete_parameter(req: t.DeleteParameterRequest, call: Call) -> t.DeleteParameterResult:
    with call.tx() as tx:
        model.delete_parameter(tx, find(tx, call, req["Name"]))
    return {}


@ssm.operation
async def delete_parameters(req: t.DeleteParametersRequest, call: Call) -> t.DeleteParametersResult:
    deleted, missing = [], []
    with call.tx() as tx:
        for name in dict.fromkeys(req["Names"]):
            parameter = tx.find(model.parameters, call.scope, name.strip(" "))
            if parameter is None:
                missing.append(name)
            else:
                model.delete_parameter(tx, parameter)
                deleted.append(parameter.id)
    return {"DeletedParameters": deleted, "InvalidParameters": missing}
