"""Who asks, and may they? The two questions as ports, and the answers of a platform that asks nobody.

`Identities` finds an access key; the iam room implements it over its records. `Authorizer` decides before every
operation, from outside or between rooms, whether its needs (`needs`) are allowed; the iam room implements it, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from hatoba.aws import index
from hatoba.aws.models import Operation
from hatoba.aws.sigv4 import Credential
from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call, Principal
from hatoba.gateway.needs import EVERYTHING, Need

_ACCOUNT = re.compile(r"\d{12}")

# The names AWS gives to the service-linked roles of services that are not simply called by their id.
_LINKED = {
    "autoscaling": "AutoScaling",
    "elbv2": "ElasticLoadBalancing",
    "application-autoscaling": "ApplicationAutoScaling",
}


class Identities(Protocol):
    def find(self, access_key_id: str) -> Credential | None:
        """An active key, with a `Principal` in `principal`; None when there is none."""
        ...


class SecondFactors(Protocol):
    """The devices that show codes; the iam room implements it."""

    def shown(self, scope: Scope, user: str, serial: str, code: str) -> bool:
        """Whether `code` is what the user's device shows now. `user`: an ARN. A code counts once."""
        ...


# A key that came wrapped → what it may be: one for each private key that opens it. `digest`, `mask`: OAEP's hashes.
Unwrap = Callable[[bytes, str, str], list[bytes]]


class SamlKeys(Protocol):
    """What opens encrypted assertions; the iam room implements it, and its private keys stay there."""

    def of(self, provider: str) -> Unwrap:
        """Of a SAML provider, by its ARN. What is returned needs nothing of the store, and may run in a thread."""
        ...


class Authorizer(Protocol):
    def decide(self, call: Call, operation: Operation, needs: Iterable[Need]) -> None:
        """Raises the service's access-denied error (`denied`), saying who may not do what, and why.

        `needs` is lazy, may be gone through once, and is best left alone where nothing depends on it.
        """
        ...


class KnownKeys:
    """A fixed set of access keys: the root key of `DIR/credentials`, and tests."""

    def __init__(self, *credentials: Credential) -> None:
        self._known = {credential.access_key_id: credential for credential in credentials}

    def find(self, access_key_id: str) -> Credential | None:
        return self._known.get(access_key_id)


class EverythingPasses:
    """With `--auth off`."""

    def decide(self, call: Call, operation: Operation, needs: Iterable[Need]) -> None:
        return


def denied(principal: Principal, operation: Operation, need: Need, why: str) -> AwsError:
    """A refusal in the words and the code of the operation's service.

    Source: the IAM user guide, "Troubleshoot access denied error messages".
    """
    model = operation.model
    old = model.protocol in ("ec2", "query", "rest-xml")
    resource = "" if old and need.resource == EVERYTHING else f" on resource: {need.resource}"
    said = f"User: {principal.arn} is not authorized to perform: {need.action}{resource} {why}"
    match model.protocol:
        case "ec2":
            return AwsError(
                f"You are not authorized to perform this operation. {said}", code="UnauthorizedOperation", status=403
            )
        case "query" | "rest-xml":
            return AwsError(said, code="AccessDenied", status=403)
        case "rest-json":
            return AwsError(said, code="AccessDeniedException", status=403)
    return AwsError(said, code="AccessDeniedException", status=400)


def foreign_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser sent this for a page that does not come from this machine.

    Where nobody has to sign, any page that somebody looks at could otherwise post forms to the platform.
    """
    if headers.get("sec-fetch-site") == "cross-site":
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    host = urlsplit(origin).hostname or ""
    return not (host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost"))


# --- principals


def root(partition: str, account: str, access_key: str | None = None) -> Principal:
    return Principal(
        kind="root", account=account, arn=f"arn:{partition}:iam::{account}:root", id=account, access_key=access_key
    )


def anonymous(account: str) -> Principal:
    """Whoever calls an operation that AWS answers unsigned too."""
    return Principal(kind="anonymous", account=account, arn="anonymous", id="ANONYMOUS")


def service_role(scope: Scope, service: str) -> Principal:
    """The service-linked role under which a room asks other rooms."""
    known = index.by_name(service)
    named = _LINKED.get(service) or (known.service_id.replace(" ", "") if known is not None else service)
    host = f"{index.signing_name(service)}.amazonaws.com"
    role = f"AWSServiceRoleFor{named}"
    return Principal(
        kind="service",
        account=scope.account,
        arn=f"arn:{scope.partition}:sts::{scope.account}:assumed-role/{role}/{service}",
        id=f"{role}:{service}",
        role=f"arn:{scope.partition}:iam::{scope.account}:role/aws-service-role/{host}/{role}",
    )


def service_itself(partition: str, name: str) -> Principal:
    """A service (`delivery.logs`) that comes from no account: it has no role, and may do what the policies of resources
    let it. To be asked with for a resource (`source`)."""
    return Principal(kind="service", account="", arn=f"arn:{partition}:iam::aws:service/{name}", id=f"service:{name}")


def account_of(access_key_id: str | None, default: str) -> str:
    """With `--auth off` a key of twelve digits is an account's number."""
    return access_key_id if access_key_id is not None and _ACCOUNT.fullmatch(access_key_id) else default
