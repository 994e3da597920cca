"""The decisions, and the refusals in AWS's words.

Control policies of an organisation limit the principals of a member account, and the resources of one for the services
that know them; never the management account, nor service-linked roles.

Source: the IAM user guide, "Troubleshoot access denied error messages"; STS's API reference,
"DecodeAuthorizationMessage"; the Organizations user guide, "Service control policies", "Resource control policies".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from hatoba.aws.models import Operation
from hatoba.core.errors import AwsError
from hatoba.gateway.access import denied
from hatoba.gateway.call import Call, Principal
from hatoba.gateway.membership import ALONE, GUARDED, Level, Memberships
from hatoba.gateway.needs import Need
from hatoba.policy.compiler import Compiler
from hatoba.policy.decision import Applicable, Decision, decide
from hatoba.policy.request import Request
from hatoba.services.iam.authorizer.facts import Facts, owner
from hatoba.services.iam.authorizer.standing import Standing, Standings
from hatoba.services.iam.authorizer.verdict import verdict
from hatoba.store.store import View

Encode = Callable[[str, Mapping[str, Any]], str]  # an account and a verdict, as a text that only STS can read


class PolicyAuthorizer:
    """Implements `gateway.access.Authorizer`. `encode`: for services that tell more of a refusal in secret."""

    def __init__(self, view: View, encode: Encode | None = None, memberships: Memberships = ALONE) -> None:
        self._view = view
        self._memberships = memberships
        self._compiler = Compiler()
        self._standings = Standings(view, self._compiler, memberships)
        self._encode = encode

    def decide(self, call: Call, operation: Operation, needs: Iterable[Need]) -> None:
        standing: Standing | None = None
        if call.service == "iam" and _shut_out(call.principal):
            raise AwsError(
                "The security token included in the request is invalid", code="InvalidClientTokenId", status=403
            )
        for need in needs:
            if standing is None:
                standing = self._standings.of(call.principal)
            facts = Facts(self._view, self._memberships, call, standing, need)
            caller = standing.service if call.source else standing.caller
            request = Request(need.action, need.resource, caller, facts)
            decision = decide(request, self._applicable(call, standing, need))
            if not decision.allowed:
                raise self._refusal(operation, facts, decision)

    def _applicable(self, call: Call, standing: Standing, need: Need) -> Applicable:
        holder = need.holder or owner(call, need.resource)
        same, guard = holder == call.principal.account, self._guard(call, need, holder)
        way = call.way.policy if call.way is not None else None
        if same and need.policy is None and need.trusts_account and not guard and way is None:
            return standing.policies
        resource = None if need.policy is None else self._compiler.bundle((need.resource, need.policy))
        return msgspec.structs.replace(
            standing.policies,
            resource=resource,
            resource_control=tuple(self._compiler.bundle(*level) for level in guard),
            endpoint=None if way is None else self._compiler.bundle(("VPC endpoint", way)),
            same_account=same,
            trusts_account=need.trusts_account,
        )

    def _guard(self, call: Call, need: Need, holder: str) -> tuple[Level, ...]:
        """What the levels above the resource's account say of it."""
        if call.principal.kind == "service" or need.action.partition(":")[0] not in GUARDED:
            return ()
        place = self._memberships.of(call.scope.partition, holder)
        return () if place is None else place.resource_control

    def _refusal(self, operation: Operation, facts: Facts, decision: Decision) -> AwsError:
        call, need = facts.call, facts.need
        why = decision.why(need.action)
        # EC2 alone has them, but for what only looks.
        if operation.model.protocol == "ec2" and self._encode is not None and not operation.name.startswith("Describe"):
            why += (
                f". Encoded authorization failure message: {self._encode(call.scope.account, verdict(facts, decision))}"
            )
        return denied(call.principal, operation, need, why)


def _shut_out(who: Principal) -> bool:
    """From IAM, whatever their policies: users' and roots' sessions without a second factor, and federated users.

    Source: STS's API reference, "GetSessionToken", "GetFederationToken".
    """
    if who.session is None:
        return False
    return who.kind == "federated" or (who.kind in ("user", "root") and who.session.mfa_at is None)
