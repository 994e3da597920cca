"""The lockout safety check: nobody gives a key a policy that would not let them change it again.

Whoever gives it must be allowed PutKeyPolicy by the new policy, together with whatever else decides about them, unless
the request says that it knows. Source: the developer guide, "Changing a key policy"; PutKeyPolicy's reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.gateway.needs import Need
from hatoba.services.kms.access import keys
from hatoba.services.kms.plan import policies


def check(call: Call, req: Mapping[str, Any], key: str) -> None:
    """`key`: its ARN. The default policy is nobody's choice and passes. Raises MalformedPolicyDocumentException."""
    policy = req.get("Policy")
    if policy is None or req.get("BypassPolicyLockoutSafetyCheck", False):
        return
    changing = Need(
        action="kms:PutKeyPolicy", resource=key, keys=keys.of_caller(call), policy=policy, trusts_account=False
    )
    try:
        call.demand(changing)
    except AwsError:
        raise policies.locked_out() from None
