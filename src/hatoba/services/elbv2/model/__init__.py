"""What ELB stores, one file a noun. Ids are the last parts of the ARNs: `app/<name>/<16 hex digits>` and so on."""

from typing import Any

from hatoba.services.elbv2.model.authentication import signers
from hatoba.services.elbv2.model.balancer import load_balancers
from hatoba.services.elbv2.model.group import target_groups, targets
from hatoba.services.elbv2.model.listener import listeners, rules
from hatoba.services.elbv2.model.log_way import log_ways
from hatoba.services.elbv2.model.trust import trust_stores
from hatoba.store import Table

TABLES: tuple[Table[Any], ...] = (
    load_balancers,
    target_groups,
    targets,
    listeners,
    rules,
    trust_stores,
    signers,
    log_ways,
)
