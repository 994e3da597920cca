"""An authorizer that needs no policies: for what the gateway does with a refusal."""

from __future__ import annotations

from collections.abc import Iterable

from hatoba.aws.models import Operation
from hatoba.gateway.access import denied
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Need


class RolesPass:
    """Root, roles and services may do all, users nothing."""

    def decide(self, call: Call, operation: Operation, needs: Iterable[Need]) -> None:
        if call.principal.kind == "user":
            for need in needs:
                raise denied(
                    call.principal, operation, need, f"because no identity-based policy allows the {need.action} action"
                )
