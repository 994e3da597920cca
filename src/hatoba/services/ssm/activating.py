"""How an activation lets a machine in: the code is the right one, there is room, it is not too late.

Called by the fleet in the transaction in which the node becomes known: so two machines cannot take the last place, and
one that is let in is counted. Whoever does not have the code learns nothing, not even whether there is such an
activation; whoever has it is told what is in the way.
"""

from __future__ import annotations

import hmac

from hatoba.core.clock import Clock
from hatoba.core.errors import Refused
from hatoba.core.ids import Ids
from hatoba.core.records import replace
from hatoba.fleet.enrol import Admitted
from hatoba.gateway.tags import set_tags
from hatoba.services.ssm import model
from hatoba.services.ssm.model import Managed, managed_arn
from hatoba.store import Tx

EXTERNAL = {"ecs.capability.external": ""}  # to ECS it is an external instance, whatever it says of itself
NONE = b"\0" * 32


def admit(clock: Clock, ids: Ids, tx: Tx, activation: str, digest: bytes, node: str, name: str) -> Admitted:
    """Counts the machine and makes it a managed instance. Raises `Refused`."""
    found = next(iter(tx.index(model.activations, "id", activation)), None)
    known = hmac.compare_digest(found.digest if found is not None else NONE, digest)
    if found is None or not known:
        raise Refused("InvalidActivation: the activation's id or its code is wrong.")
    if found.expires <= clock.now():
        raise Refused("ActivationExpired: the activation has expired. Make a new one with `aws ssm create-activation`.")
    if found.registrations >= found.limit:
        raise Refused(
            f"RegistrationLimitExceeded: the activation was good for {found.limit} machines, which have registered."
        )
    tx.put(model.activations, replace(found, registrations=found.registrations + 1))
    id_ = f"mi-{ids.hex(17)}"
    scope = found.scope
    tx.put(
        model.managed,
        Managed(
            key=model.managed.key(scope, id_),
            node=node,
            activation=activation,
            role=found.role,
            registered=clock.now(),
            name=found.name or name,
        ),
    )
    set_tags(tx, scope, managed_arn(scope, id_), found.tags)
    return Admitted(managed=id_, account=scope.account, region=scope.region, attributes=EXTERNAL)
