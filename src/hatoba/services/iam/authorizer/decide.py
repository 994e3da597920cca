"""The decisions, and the refusals in AWS's words.

Source: the IAM user guide, "Troubleshoot access denied error messages"; STS's API reference,
"DecodeAuthorizationMessage".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from hatoba.aws.models import Operation
from hatoba.core.errors import AwsError
from hatoba.gateway.access import denied
from hatoba.gateway.call import Call, Principal
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

    def __init__(self, view: View, encode: Encode | None = None) -> None:
        self._view = view
        self._compiler = Compiler()
        self._standings = Standings(view, self._compiler)
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
            facts = Facts(self._view, call, standing, need)
            caller = standing.service if call.source else standing.caller
            request = Request(need.action, need.resource, caller, facts)
            decision = decide(request, self._applicable(call, standing, need))
            if not decision.allowed:
                raise self._refusal(operation, facts, decision)

    def _applicable(self, call: Call, standing: Standing, need: Need) -> Applicable:
        same = owner(call, need.resource) == call.principal.account
        if same and need.policy is None and need.trusts_account:
            return standing.policies
        resource = None if need.policy is None else self._compiler.bundle((need.resource, need.policy))
        return msgspec.structs.replace(
            standing.policies, resource=resource, same_account=same, trusts_account=need.trusts_account
        )

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
