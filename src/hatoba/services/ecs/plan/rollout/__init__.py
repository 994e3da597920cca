"""A service: what to start, stop, register and say, so that it comes to what is wanted.

seen     one task and its targets → starting, healthy, unhealthy, ending or gone
arith    minimumHealthyPercent and maximumPercent
steps    how many to start, which to stop, whom to register and deregister
daemon   the same for one task on every instance
progress the deployments: counts, completion, failure, roll-back
story    the record that is kept of each service deployment
words    the service's events
plan     all of it: `plan(service, tasks, targets, now) -> Plan`
"""

from hatoba.services.ecs.plan.rollout.plan import Plan, moved, plan

__all__ = ["Plan", "moved", "plan"]
