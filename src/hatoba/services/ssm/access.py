"""What Systems Manager's operations need to be allowed.

Sources: the service authorisation reference, "AWS Systems Manager"; the user guide, "Restricting access to Parameter
Store parameters using IAM policies", "Enforce a session document permission check", "Additional sample IAM policies
for Session Manager".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hatoba.core import arn
from hatoba.gateway.call import Call
from hatoba.gateway.needs import (
    Access,
    Extra,
    Keys,
    Need,
    Params,
    Resources,
    Rule,
    acting,
    all_of,
    member,
    named,
    on,
    tag_keys,
    untagged,
    when,
)
from hatoba.gateway.tags import tags_of
from hatoba.services.ssm.model import managed_arn, parameter_arn
from hatoba.services.ssm.plan.documents import BUCKET, LOG_GROUP, PREFIX
from hatoba.services.ssm.plan.names import is_public, selected
from hatoba.services.ssm.plan.sessions import object_key
from hatoba.services.ssm.session.model import find, owner, target_of, task_arn
from hatoba.services.ssm.session.writers import asks_whoever_enters

BY_AWS = ("AWS-", "AmazonECS-")  # documents whose ARNs have no account


def _parameter(call: Call, text: str) -> str:
    """By name or ARN, without the selector of a version. What can be neither is needed as it was written."""
    found = selected(text)
    if found is None:
        return text if text.startswith("arn:") else parameter_arn(call.scope, text.strip(" "))
    scope = found.arn.scope if found.arn is not None else call.scope
    return parameter_arn(scope._replace(account="") if is_public(found.name) else scope, found.name)


def parameters(path: str) -> Resources:
    def resources(req: Params, call: Call) -> Iterator[str]:
        for text in member(req, path):
            yield _parameter(call, text)

    return resources


def folder(req: Params, call: Call) -> Iterator[str]:
    """A path, as it was written: who may read it may read all that is under it."""
    path = str(req.get("Path") or "").strip(" ")
    yield parameter_arn(call.scope._replace(account="") if is_public(f"{path}/") else call.scope, path)


def tagged(req: Params, call: Call) -> Iterator[str]:
    """A parameter or a machine by its name; of other types, which are not here, what would be their ARN."""
    kind, name = str(req.get("ResourceType") or ""), str(req.get("ResourceId") or "").strip(" ")
    match kind:
        case "Parameter":
            yield parameter_arn(call.scope, name)
        case "ManagedInstance":
            yield managed_arn(call.scope, name)
        case _:
            yield call.arn(f"{kind.lower()}/{name}")


def on_tagged(*resources: Resources, keys: Extra | None = None) -> Rule:
    """The action on each, with `ssm:resourceTag/…`, which here begins with a small letter."""

    def rule(action: str, req: Params, call: Call) -> Iterator[Need]:
        said = dict(keys(req, call)) if keys is not None else {}
        for resource in dict.fromkeys(found for each in resources for found in each(req, call)):
            tags = {f"ssm:resourceTag/{key}": value for key, value in tags_of(call.store, call.scope, resource).items()}
            yield Need(action=action, resource=resource, keys={**tags, **said})

    return rule


# --- condition keys


def of_put(req: Params, call: Call) -> Keys:
    return {
        "ssm:Overwrite": _flag(req.get("Overwrite")),
        **({"ssm:Policies": "true"} if req.get("Policies") else {}),
        **tag_keys(req.get("Tags")),
    }


def of_path(req: Params, call: Call) -> Keys:
    return {"ssm:Recursive": _flag(req.get("Recursive"))}


def machines(req: Params, call: Call) -> Iterator[str]:
    for name in member(req, "InstanceId"):
        yield managed_arn(call.scope, name)


def documents(req: Params, call: Call) -> Iterator[str]:
    for name in member(req, "Name"):
        yield _document(call, name)


def passing(action: str, req: Params, call: Call) -> Iterator[Need]:
    """The role of machines: given by its name, or by name and path."""
    for role in member(req, "IamRole"):
        resource = role if role.startswith("arn:") else arn.make(call.scope._replace(region=""), "iam", f"role/{role}")
        yield Need(action="iam:PassRole", resource=resource, keys={"iam:PassedToService": "ssm.amazonaws.com"})


def given(req: Params, call: Call) -> Keys:
    return tag_keys(req.get("Tags"))


def _flag(value: object) -> str:
    return "true" if value else "false"


# --- sessions


def starting(action: str, req: Params, call: Call) -> Iterator[Need]:
    """The task; the document, if one is named (who names none is not asked for the default one); and where it is
    logged.

    ECS starts the sessions of ExecuteCommand for somebody whom it has asked for the right to that: of them only what
    the task itself cannot be asked for is asked (`session.writers`).
    """
    target, document = str(req.get("Target") or ""), req.get("DocumentName")
    checked: Keys = {"ssm:SessionDocumentAccessCheck": _flag(document)}
    task = target_of(target)
    group, bucket, prefix = (
        " ".join(member(req.get("Parameters") or {}, name)) for name in (LOG_GROUP, BUCKET, PREFIX)
    )
    to_group, to_bucket = True, True
    if call.via[-1:] == ("ecs",):
        if task is None:
            return
        to_group, to_bucket = asks_whoever_enters(call.store, call.scope, task.task, task.runtime, group)
    else:
        resource = call.arn(f"managed-instance/{target}") if task is None else task_arn(call.scope, task)
        yield Need(action=action, resource=resource, keys=checked)
        if isinstance(document, str) and document:
            yield Need(action=action, resource=_document(call, document), keys=checked)
    if bucket and to_bucket:
        item = f"arn:{call.scope.partition}:s3:::{bucket}/{object_key(prefix, '*')}"
        yield Need(action="s3:PutObject", resource=item)
    if group and to_group:
        stream = arn.make(call.scope, "logs", f"log-group:{group}:log-stream:*")
        yield from (Need(action=f"logs:{name}", resource=stream) for name in ("CreateLogStream", "PutLogEvents"))


def _document(call: Call, name: str) -> str:
    if name.startswith("arn:"):
        return name
    scope = call.scope._replace(account="") if name.startswith(BY_AWS) else call.scope
    return arn.make(scope, "ssm", f"document/{name}")


def in_session(action: str, req: Params, call: Call) -> Iterable[Need]:
    """Sessions say by a tag whose they are: `"ssm:resourceTag/aws:ssmmessages:session-id": "${aws:userid}"`."""
    id_ = str(req.get("SessionId") or "")
    session = find(call.store, id_)
    keys: Keys = {}
    if session is not None and session.scope == call.scope:
        own = session.owner == owner(call.principal)
        keys = {
            "ssm:resourceTag/aws:ssmmessages:session-id": call.principal.id if own else session.owner,
            "ssm:resourceTag/aws:ssmmessages:target-id": session.target,
        }
    return [Need(action=action, resource=call.arn(f"session/{id_}"), keys=keys)]


# --- the table

NAME = parameters("Name")
SETTING = named(
    "SettingId", lambda call, name: call.arn(f"servicesetting{name}" if name[:1] == "/" else f"servicesetting/{name}")
)
TAGGING = when(lambda req: req.get("Tags"), acting("ssm:AddTagsToResource", NAME, keys=given))

ACCESS = Access(
    "ssm",
    {
        "AddTagsToResource": on_tagged(tagged, keys=given),
        "CreateActivation": all_of(
            on(tags="Tags"), when(lambda req: req.get("Tags"), acting("ssm:AddTagsToResource", keys=given)), passing
        ),
        "DeleteActivation": on(),
        "DeleteParameter": on_tagged(NAME),
        "DeleteParameters": on_tagged(parameters("Names")),
        "DeregisterManagedInstance": on_tagged(machines),
        "DescribeActivations": on(),
        "DescribeDocument": on(documents),
        "DescribeInstanceInformation": on(),
        "DescribeParameters": on(),
        "DescribeSessions": on(),
        "GetConnectionStatus": on(),
        "GetDocument": on(documents),
        "GetParameter": on_tagged(NAME),
        "GetParameterHistory": on_tagged(NAME),
        "GetParameters": on_tagged(parameters("Names")),
        "GetParametersByPath": on_tagged(folder, keys=of_path),
        "GetServiceSetting": on(SETTING),
        "LabelParameterVersion": on_tagged(NAME),
        "ListDocuments": on(),
        "ListTagsForResource": on_tagged(tagged),
        "PutParameter": all_of(on_tagged(NAME, keys=of_put), TAGGING),
        "RemoveTagsFromResource": on_tagged(tagged, keys=untagged("TagKeys")),
        "ResetServiceSetting": on(SETTING),
        "ResumeSession": in_session,
        "StartSession": starting,
        "TerminateSession": in_session,
        "UnlabelParameterVersion": on_tagged(NAME),
        "UpdateManagedInstanceRole": all_of(on_tagged(machines), passing),
        "UpdateServiceSetting": on(SETTING),
    },
)
