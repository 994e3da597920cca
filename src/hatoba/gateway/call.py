"""What an operation is handed beside its request: who asks, where, and what it may use.

A `Call` is made per request and is cheap: it points at the control plane's `Platform`, which is made once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import msgspec

from hatoba.core import arn
from hatoba.core.clock import Clock
from hatoba.core.errors import AwsError
from hatoba.core.ids import Ids
from hatoba.core.keys import Key, Scope
from hatoba.core.pages import BadToken, Pager
from hatoba.gateway import idempotency
from hatoba.gateway.idempotency import idempotent
from hatoba.gateway.needs import Need
from hatoba.gateway.way import Way
from hatoba.store import Store, Tx

if TYPE_CHECKING:
    from hatoba.gateway.audit import Witness

T = TypeVar("T")
_AGENT = 1024  # characters of what a client calls itself: policies look at it, and the trail keeps as much


class SessionContext(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What temporary credentials say beyond who holds them: what limits them, and what policies may ask of them.

    Lists of pairs and not mappings, so that a principal can be a key. Times in seconds since the epoch.
    """

    issued: float  # aws:TokenIssueTime
    policy: str | None = None  # the session policy, as a document
    policy_arns: tuple[str, ...] = ()  # managed policies that limit the session likewise
    tags: tuple[tuple[str, str], ...] = ()  # aws:PrincipalTag/…, before the role's own of the same key
    transitive: tuple[str, ...] = ()  # keys of the tags that go along when it assumes a further role
    source_identity: str | None = None  # aws:SourceIdentity; goes along, too
    mfa_at: float | None = None  # when a second factor was shown: aws:MultiFactorAuthAge
    provider: str | None = None  # aws:FederatedProvider: who said who it is
    claims: tuple[tuple[str, str], ...] = ()  # what the provider said, by condition key
    user: str | None = None  # of a federated user: the ARN of the user (or root) who made the session


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks. `arn` is what GetCallerIdentity says; `id` the unique id (`AIDA…`, `AROA…:session`, account)."""

    kind: Literal["root", "user", "role", "federated", "service", "anonymous"]
    account: str
    arn: str
    id: str
    role: str | None = None  # the role's ARN, of an assumed role or a service
    access_key: str | None = None
    session: SessionContext | None = None  # of temporary credentials


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a provider vouched for, in a call that nobody signed."""

    kind: Literal["SAMLUser", "WebIdentityUser"]
    id: str  # unique, as the audit has it
    name: str
    provider: str


class Client(Protocol):
    """One service, through the front door: `await client.register_targets(TargetGroupArn=…, Targets=[…])`."""

    def __getattr__(self, operation: str) -> Callable[..., Any]: ...


class Door(Protocol):
    """The services, as attributes: `door.elbv2`. Bound to a scope and to the service role that asks."""

    def __getattr__(self, service: str) -> Client: ...


class Platform(Protocol):
    """What the control plane's composition root provides to every call."""

    store: Store
    clock: Clock
    ids: Ids
    pager: Pager

    def door(
        self,
        scope: Scope,
        service: str,
        principal: Principal | None = None,
        *,
        via: tuple[str, ...] = (),
        source: str = "",
    ) -> Door:
        """The front door for `service`, in a scope: under its service-linked role, or as `principal`, a role that it
        has assumed. `via`: `principal` is a client's, with whose permissions these services ask, the last of them
        `service` (`Call.aws_as_caller`). `source`: it asks as itself, for the resource of this ARN."""
        ...

    def demand(self, call: Call, needs: Iterable[Need]) -> None:
        """Raises the access-denied error of the call's service unless its principal may do all of this."""
        ...

    def witness(self, call: Call, params: Mapping[str, Any]) -> Witness:
        """Audits a call that comes another way than by AWS's protocols (a registry's), as the operation that it names.
        Whoever asks for one tells it the end."""
        ...

    def serves(self, service: str, operation: str = "") -> bool:
        """Whether a service, by botocore's name, has a room here, which knows that operation of the model."""
        ...

    def get(self, kind: type[T]) -> T:
        """An engine or a setting by its type: `platform.get(Streams)`."""
        ...


class Call:
    """One operation being carried out."""

    __slots__ = (
        "by",
        "closing",
        "host",
        "needs",
        "operation",
        "platform",
        "principal",
        "request_id",
        "scope",
        "secure",
        "service",
        "source",
        "source_ip",
        "user_agent",
        "via",
        "vouched",
        "way",
    )

    def __init__(
        self,
        platform: Platform,
        *,
        scope: Scope,
        service: str,
        operation: str,
        principal: Principal,
        request_id: str,
        source_ip: str = "",
        user_agent: str = "",
        host: str = "",
        secure: bool = False,
        by: str = "",
        via: tuple[str, ...] = (),
        source: str = "",
        way: Way | None = None,
    ) -> None:
        """`host`: the name and port by which the client reached us; "" between rooms. `secure`: by TLS. `way`: the VPC
        endpoint through which it came; then `source_ip` is its address in the VPC.

        Of calls between rooms, by botocore's names: `by`, the service that asks; `via`, where it has the permissions of
        its own caller only, the services through which it came to that, the last of them `by`; `source`, the ARN of the
        resource for which it asks as the service that it is, and not as a role."""
        self.platform = platform
        self.scope = scope
        self.service = service  # botocore's name
        self.operation = operation  # the model's name
        self.principal = principal
        self.request_id = request_id
        self.source_ip = source_ip
        self.user_agent = user_agent[:_AGENT]
        self.host = host
        self.secure = secure
        self.by = by
        self.via = via
        self.source = source
        self.way = way
        self.vouched: Vouched | None = None
        self.closing: Callable[[Tx], None] | None = None  # what each of its transactions writes at its end
        self.needs: tuple[Need, ...] = ()  # none before the request was found valid: nobody knows what it is about

    def vouched_for(self, who: Vouched, account: str) -> None:
        """Nobody signed it, but a provider of an account says who asks: it is theirs now, and that account's."""
        self.vouched, self.scope = who, self.scope._replace(account=account)

    # --- what it may use

    @property
    def store(self) -> Store:
        return self.platform.store

    def tx(self) -> Tx:
        return self.platform.store.tx(self.closing)

    @property
    def now(self) -> float:
        return self.platform.clock.now()

    @property
    def ids(self) -> Ids:
        return self.platform.ids

    def demand(self, *needs: Need) -> None:
        """For what an operation finds out to need only while it is carried out; the rest stands in its room's `access`.
        Raises the service's access-denied error."""
        self.platform.demand(self, needs)

    @property
    def address(self) -> str:
        """The client's; "" where a service asks."""
        return "" if self.by else self.source_ip

    @property
    def aws_as_caller(self) -> Door:
        """Other rooms, asked by this one with the caller's own permissions (`aws:CalledVia` tells that we ask)."""
        return self.as_caller_in(self.scope)

    def as_caller_in(self, scope: Scope) -> Door:
        """The same in another account or region than the call's."""
        return self.platform.door(scope, self.service, self.principal, via=(*self.via, self.service))

    @property
    def aws(self) -> Door:
        """Other rooms, asked by this one under its service role, in the caller's account and region."""
        return self.platform.door(self.scope, self.service)

    def get(self, kind: type[T]) -> T:
        return self.platform.get(kind)

    def arn(self, resource: str, service: str | None = None) -> str:
        return arn.make(self.scope, service or self.service, resource)

    # --- paging

    def page(
        self,
        rows: Iterable[T],
        *,
        order: Callable[[T], str],
        token: str | None,
        limit: int,
        filters: object = None,
        bad_token: Callable[[], AwsError] | None = None,
    ) -> tuple[list[T], str | None]:
        """One page of sorted rows and the next token. A token that is not ours raises `bad_token()`."""
        try:
            return self.platform.pager.page(
                rows, order=order, scope=self.scope, operation=self.operation, filters=filters, token=token, limit=limit
            )
        except BadToken:
            raise (
                bad_token() if bad_token else AwsError("The specified nextToken is invalid.", code="InvalidNextToken")
            ) from None

    # --- idempotency

    def earlier(
        self, tx: Tx, req: Mapping[str, Any], token: str | None, *, mismatch: Callable[[], AwsError]
    ) -> Any | None:
        """The answer given before to the same request with this client token; `mismatch()` for another request."""
        if token is None:
            return None
        return idempotency.earlier(tx, self._token_key(token), req, token, now=self.now, mismatch=mismatch)

    def remember(self, tx: Tx, req: Mapping[str, Any], token: str | None, result: T) -> T:
        """Keeps the answer for a repeated request, in the same transaction as what it did."""
        if token is not None:
            idempotency.remember(tx, self._token_key(token), req, token, result, now=self.now)
        return result

    def _token_key(self, token: str) -> Key:
        return idempotency.token_key(self.scope, self.service, self.operation, token)


__all__ = ["Call", "Client", "Door", "Platform", "Principal", "SessionContext", "Vouched", "idempotent"]
