"""A call in CloudTrail's words: the record that LookupEvents shows as `CloudTrailEvent`.

Source: the CloudTrail user guide, "CloudTrail record contents" and "CloudTrail userIdentity element".
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

import msgspec

from hatoba.gateway.call import Call, Principal

VERSION = "1.11"
LONGEST = 64 * 1024  # bytes of parameters or answer; what is longer is left out
_SHORT = 1024  # characters of an error; what is longer is cut


def event(
    call: Call,
    *,
    source: str,
    began: float,
    read_only: bool,
    parameters: Any,
    answer: Any = None,
    error: tuple[str, str] | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """`source` is `ecs.amazonaws.com`; `error` code and message; `seconds` how long it took, once that is known."""
    made: dict[str, Any] = {
        "eventVersion": VERSION,
        "userIdentity": identity(call),
        "eventTime": timestamp(began),
        "eventSource": source,
        "eventName": call.operation,
        "awsRegion": call.scope.region,
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent,
        "requestParameters": bounded(parameters),
        "responseElements": bounded(answer),
        "requestID": call.request_id,
        "eventID": call.request_id,
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.scope.account,
        "eventCategory": "Management",
    }
    if call.way is not None:
        made["vpcEndpointId"], made["vpcEndpointAccountId"] = call.way.endpoint, call.way.account
    if error is not None:
        made["errorCode"], made["errorMessage"] = error[0], error[1][:_SHORT]
    if seconds is not None:
        made["additionalEventData"] = {"milliseconds": round(1000 * seconds, 2)}
    return made


def timestamp(time: float) -> str:
    return _second(int(time))


@functools.lru_cache(maxsize=64)  # many calls are of one second, and of one session
def _second(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock_time(time: float) -> str:
    """To the millisecond, for lines that people read."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def bounded(value: Any) -> Any:
    if not value:
        return None
    size = len(msgspec.json.encode(value, enc_hook=str))
    return value if size <= LONGEST else {"omitted": True, "originalSize": size, "reason": "too long"}


def user_name(principal: Principal) -> str:
    """By which LookupEvents finds it: a user's name, a session's, `root`, a service."""
    match principal.kind:
        case "root":
            return "root"
        case "service":
            return f"{principal.id.rpartition(':')[2]}.amazonaws.com"
        case "anonymous":
            return ""
    return principal.arn.rpartition("/")[2]


def asker(call: Call) -> str:
    """Likewise, of a call: whom a provider vouched for has a name, too."""
    return call.vouched.name if call.vouched is not None else user_name(call.principal)


def identity(call: Call) -> dict[str, Any]:
    principal = call.principal
    if call.source:
        return {"type": "AWSService", "invokedBy": user_name(principal)}
    found: dict[str, Any] = {"type": _TYPES[principal.kind], "principalId": principal.id}
    if call.vouched is not None:
        who = call.vouched
        return {"type": who.kind, "principalId": who.id, "userName": who.name, "identityProvider": who.provider}
    if principal.kind == "anonymous":
        return found
    found |= {"arn": principal.arn, "accountId": principal.account}
    if principal.access_key is not None:
        found["accessKeyId"] = principal.access_key
    if principal.kind == "user":
        found["userName"] = user_name(principal)
    context = _session(principal)
    if context:
        found["sessionContext"] = context
    if call.by:
        found["invokedBy"] = f"{call.by}.amazonaws.com"
    return found


_TYPES = {
    "root": "Root",
    "user": "IAMUser",
    "role": "AssumedRole",
    "federated": "FederatedUser",
    "service": "AssumedRole",  # of the service's linked role
    "anonymous": "Unknown",
}


def _session(principal: Principal) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if principal.role is not None:
        context["sessionIssuer"] = {
            "type": "Role",
            "principalId": principal.id.partition(":")[0],
            "arn": principal.role,
            "accountId": principal.account,
            "userName": principal.role.rpartition("/")[2],
        }
    session = principal.session
    if session is not None:
        mfa = str(session.mfa_at is not None).lower()
        context["attributes"] = {"creationDate": timestamp(session.issued), "mfaAuthenticated": mfa}
        if session.source_identity is not None:
            context["sourceIdentity"] = session.source_identity
    return context
