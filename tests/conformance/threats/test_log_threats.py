"""What a node in somebody else's hands may try with the logs of load balancers: write into the buckets of others'."""

from __future__ import annotations

from pathlib import Path

from hatoba.core.errors import AwsError
from hatoba.services.elbv2 import deliveries
from tests.conformance.elbv2.test_elbv2_logs import ALB, Buckets, file, logging, switch_on
from tests.conformance.elbv2.world import World
from tests.conformance.threats.disarm import without


async def written(w: World, buckets: Buckets, balancer: str) -> bool:
    """By a node that has never carried the load balancer."""
    before = dict(buckets.objects)
    try:
        await deliveries.keep(w.plane, "rogue", file(balancer))
    except AwsError:
        return False
    return buckets.objects != before


async def test_a_line_in_the_logs_of_anothers_load_balancer(tmp_path: Path) -> None:
    async with logging(tmp_path) as (w, buckets, balancer):
        buckets.allow({"Service": ALB})
        await switch_on(w, balancer)
        assert not await written(w, buckets, balancer)
        with without("hatoba.services.elbv2.deliveries:keep", "or node not in way.nodes", ""):
            assert await written(w, buckets, balancer), "it is not this check that refuses it"
