"""The proxy's twin for the control plane's simulation: no Envoy, no socket, the same decisions and health rules.

What is applied is effective at once. Targets answer their checks as the simulation says (`answers`), requests are
routed by the same rule as the real one's (`clusters.in_service`), and those that nobody could serve are recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import msgspec

from hatoba.core.clock import Clock
from hatoba.core.ids import Ids
from hatoba.proxy.base import (
    Balancer,
    BalancerTraffic,
    FixedResponse,
    Forward,
    GroupTraffic,
    Health,
    HealthCheck,
    Listener,
    OnHealth,
    Rejected,
    Target,
    TargetGroup,
    TargetKey,
    Wanted,
)
from hatoba.proxy.checker import Checker
from hatoba.proxy.clusters import in_service
from hatoba.proxy.health import Answered, Failed, Result
from hatoba.proxy.snapshot import checked, groups_of

# What a target answers at (address, port): a status, or None for a refused connection.
Answers = Callable[[str, int], int | None]


class FailedRequest(msgspec.Struct, frozen=True, kw_only=True):
    at: float
    balancer: str
    port: int
    status: int


class SimulatedProxy:
    """Implements `base.Proxy`."""

    def __init__(self, *, clock: Clock, ids: Ids, on_health: OnHealth, answers: Answers) -> None:
        self._clock = clock
        self._ids = ids
        self._answers = answers
        self._checker = Checker(ask=self._ask, clock=clock, on_health=on_health)
        self._wanted = Wanted()
        self._requests: Counter[str] = Counter()
        self._group_requests: Counter[tuple[str, str]] = Counter()
        self.applied = 0
        self.failed: list[FailedRequest] = []
        self.refuse: str | None = None  # the next `apply` is refused with these words

    async def start(self) -> bool:
        return False

    async def apply(self, wanted: Wanted) -> None:
        if self.refuse is not None:
            words, self.refuse = self.refuse, None
            raise Rejected("listener", words)
        self._wanted = wanted
        self.applied += 1
        self._checker.set_groups({id_: (group, lambda _: None) for id_, (group, _) in checked(wanted).items()})

    def health(self) -> Mapping[TargetKey, Health]:
        return self._checker.health()

    async def traffic(self) -> Mapping[str, BalancerTraffic]:
        return {
            each.id: BalancerTraffic(
                requests=self._requests[each.id],
                groups={id_: GroupTraffic(requests=self._group_requests[each.id, id_]) for id_ in groups_of(each)},
            )
            for each in self._wanted.balancers
        }

    async def release(self) -> None:
        await self._checker.close()

    async def stop(self) -> None:
        await self._checker.close()
        self._wanted = Wanted()

    def route(self, balancer: str, port: int) -> Target | None:
        """Who a request meets now: a target that serves it, or None, which is recorded as a failed request unless the
        balancer answers by itself. A target that refuses the connection costs a retry, as in the real one."""
        self._requests[balancer] += 1
        action = self._listener(balancer, port).default
        if not isinstance(action, Forward):
            if isinstance(action, FixedResponse) and action.status >= 500:
                self._fail(balancer, port, action.status)
            return None
        groups = {group.id: group for group in self._wanted.groups}
        shares = [share.group for share in action.shares for _ in range(share.weight) if share.group in groups]
        if not shares:
            self._fail(balancer, port, 503)
            return None
        group = groups[shares[self._ids.choice_index(len(shares))]]
        self._group_requests[balancer, group.id] += 1
        return self._of(group, balancer, port)

    def _of(self, group: TargetGroup, balancer: str, port: int) -> Target | None:
        serving = in_service(group, self._checker.of_group(group.id))
        candidates = [target for target in group.targets if target.id in serving]
        if not candidates:
            self._fail(balancer, port, 503)
            return None
        while candidates:
            target = candidates.pop(self._ids.choice_index(len(candidates)))
            if (code := self._answers(target.address, target.port)) is not None:
                if code >= 500:
                    self._fail(balancer, port, code)
                return target
        self._fail(balancer, port, 502)
        return None

    def _fail(self, balancer: str, port: int, status: int) -> None:
        self.failed.append(FailedRequest(at=self._clock.now(), balancer=balancer, port=port, status=status))

    def _listener(self, balancer: str, port: int) -> Listener:
        for each in self._balancer(balancer).listeners:
            if each.port == port:
                return each
        raise LookupError(f"Nobody listens on port {port} of {balancer}.")

    def _balancer(self, balancer: str) -> Balancer:
        for each in self._wanted.balancers:
            if each.id == balancer:
                return each
        raise LookupError(f"There is no balancer {balancer}.")

    async def _ask(self, address: str, port: int, settings: HealthCheck, *, source: str | None) -> Result:
        code = self._answers(address, port)
        return Failed(why="refused") if code is None else Answered(code=code)
