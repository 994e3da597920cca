"""A service: what to start, stop, register and say, so that it comes to what is wanted.

seen     one task and its targets → starting, healthy, unhealthy, ending or gone
arith    minimumHealthyPercent and maximumPercent
steps    how many to start, which to stop, whom to register and deregister
daemon   the same for one task on every instance
counting the tasks that did not make it
progress the deployments: what is left of the old ones, whether the new one is done
undo     one that must not go on: it fails, or goes back to what last worked
shifting two revisions beside each other, while traffic is shifted between them (`plan/shift`)
story    the record that is kept of each service deployment
words    the service's events
plan     all of it: `plan(service, tasks, targets, now, known) -> Plan`
"""

from hatoba.services.ecs.plan.rollout.plan import Known, Plan, moved, plan

__all__ = ["Known", "Plan", "moved", "plan"]
