"""The room's declaration, and what its operations share: which parameter a text means, and in which version."""

from __future__ import annotations

from hatoba.aws.shapes import ssm as t
from hatoba.core.errors import AwsError
from hatoba.core.pages import BadToken
from hatoba.gateway.call import Call
from hatoba.gateway.room import Service
from hatoba.services.ssm import model
from hatoba.services.ssm.access import ACCESS
from hatoba.services.ssm.model import Found, Parameter
from hatoba.services.ssm.plan.names import Selected, selected, unreadable
from hatoba.store.store import View

ssm = Service("ssm", access=ACCESS)


def bad_token() -> AwsError:
    return t.InvalidNextToken("The specified token isn't valid.")


def after(call: Call, token: str | None, about: object) -> str | None:
    """The name that a page's token leads past, so that what comes before is not looked at again. `call.page` says what
    there is to say of a token that is none."""
    try:
        return call.platform.pager.last(call.scope, call.operation, about, token) if token else None
    except BadToken:
        return None


def unknown(name: str) -> AwsError:
    return t.ParameterNotFound(f"Parameter {name} not found.")


def find(view: View, call: Call, name: str) -> Parameter:
    """By its plain name. Raises ParameterNotFound."""
    parameter = view.find(model.parameters, call.scope, name.strip(" "))
    if parameter is None:
        raise unknown(name)
    return parameter


def asked(call: Call, text: str) -> Selected:
    """What a request's Name asks for. Raises for what can be no name, and for what is another account's."""
    found = selected(text)
    if found is None:
        raise unreadable(text)
    if found.arn is not None and found.arn.account and found.arn.account != call.scope.account:
        raise AwsError(
            f"User: {call.principal.arn} is not authorized to perform: ssm:{call.operation} on resource: {text} "
            f"because no resource-based policy allows the ssm:{call.operation} action",
            code="AccessDeniedException",
        )
    return found


def resolve(view: View, call: Call, wanted: Selected) -> Found:
    """Raises ParameterNotFound, ParameterVersionNotFound."""
    parameter = view.find(model.parameters, call.scope, wanted.name)
    if parameter is None and wanted.arn is not None:
        other = model.twin(wanted.name)
        parameter = view.find(model.parameters, call.scope, other) if other is not None else None
    if parameter is None or (wanted.arn is not None and wanted.arn.scope != call.scope):
        raise unknown(wanted.name)
    if wanted.label is not None:
        version = model.labelled(view, call.scope, parameter.id, wanted.label)
        if version is None:
            raise t.ParameterVersionNotFound(
                f"Systems Manager could not find label {wanted.label} for parameter {parameter.id}. "
                "Verify the label and try again."
            )
    else:
        number = parameter.latest if wanted.number is None else wanted.number
        version = model.find_version(view, call.scope, parameter.id, number)
        if version is None:
            raise t.ParameterVersionNotFound(
                f"Systems Manager could not find version {number} of {parameter.id}. Verify the version and try again."
            )
    return Found(parameter=parameter, version=version, selector=wanted.selector)
