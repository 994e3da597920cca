"""Who may change an interface: its user, or the service that made it for itself.

What a load balancer, a NAT gateway or an endpoint has changes with that only: it would be cut off without knowing why.
Interfaces of tasks are their users' to change, for as long as they stand: there is nobody else who could have any.
"""

from __future__ import annotations

from hatoba.gateway.call import Call
from hatoba.services.ec2.model.interface import Eni, the_eni, users_own
from hatoba.store.store import View


def changeable(call: Call, eni: Eni) -> Eni:
    """Raises AuthFailure."""
    own = call.principal.kind == "service" and eni.requester == call.principal.id
    return eni if own else users_own(eni)


def the_changeable(view: View, call: Call, id_: str) -> Eni:
    """Raises InvalidNetworkInterfaceID.NotFound, AuthFailure."""
    return changeable(call, the_eni(view, call.scope, id_))
