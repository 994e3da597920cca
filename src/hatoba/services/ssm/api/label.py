"""Labels: names for versions. A label is on one version of a parameter at a time; labelling another one moves it."""

from __future__ import annotations

from hatoba.aws.shapes import ssm as t
from hatoba.gateway.call import Call
from hatoba.services.ssm import model
from hatoba.services.ssm.api.room import find, ssm
from hatoba.services.ssm.model import Parameter, Version
from hatoba.services.ssm.plan.names import is_label
from hatoba.store.store import View

MOST = 10  # on one version


@ssm.operation
async def label_parameter_version(req: t.LabelParameterVersionRequest, call: Call) -> t.LabelParameterVersionResult:
    wanted = [label for label in dict.fromkeys(req["Labels"]) if is_label(label)]
    refused = [label for label in dict.fromkeys(req["Labels"]) if not is_label(label)]
    with call.tx() as tx:
        parameter = find(tx, call, req["Name"])
        version = _version(tx, parameter, req.get("ParameterVersion"))
        labels = tuple(dict.fromkeys((*version.labels, *wanted)))
        if len(labels) > MOST:
            raise t.ParameterVersionLabelLimitExceeded(
                f"An error occurred (ParameterVersionLabelLimitExceeded) when calling the LabelParameterVersion "
                f"operation: A parameter version can have maximum {MOST} labels.Move one or more labels to another "
                "version and try again."
            )
        for label in wanted:
            other = model.labelled(tx, parameter.scope, parameter.id, label)
            if other is not None and other.number != version.number:
                model.set_labels(tx, other, tuple(each for each in other.labels if each != label))
        if labels != version.labels:
            model.set_labels(tx, version, labels)
    answer: t.LabelParameterVersionResult = {"ParameterVersion": version.number}
    if refused:
        answer["InvalidLabels"] = refused
    return answer


@ssm.operation
async def unlabel_parameter_version(
    req: t.UnlabelParameterVersionRequest, call: Call
) -> t.UnlabelParameterVersionResult:
    with call.tx() as tx:
        version = _version(tx, find(tx, call, req["Name"]), req["ParameterVersion"])
        removed = [label for label in dict.fromkeys(req["Labels"]) if label in version.labels]
        if removed:
            model.set_labels(tx, version, tuple(label for label in version.labels if label not in removed))
    unknown = [label for label in dict.fromkeys(req["Labels"]) if label not in removed]
    answer: t.UnlabelParameterVersionResult = {}
    if removed:
        answer["RemovedLabels"] = removed
    if unknown:
        answer["InvalidLabels"] = unknown
    return answer


def _version(view: View, parameter: Parameter, number: int | None) -> Version:
    wanted = parameter.latest if number is None else number
    version = model.find_version(view, parameter.scope, parameter.id, wanted)
    if version is None:
        raise t.ParameterVersionNotFound(
            f"Systems Manager could not find version {wanted} of {parameter.id}. Verify the version and try again."
        )
    return version
