"""With whose permissions a session is logged.

With the task's own, as on AWS, where an agent in the task writes with its credentials. By Systems Manager's own only
where that gives nobody a new way: into the container's own log, whose stream was opened under the execution role; and
of tasks that have no role (AWS holds no sessions with those), once whoever enters one has been found to be allowed to
write there (`access.starting`).
"""

from __future__ import annotations

from collections.abc import Iterator

from hatoba.core.keys import Scope
from hatoba.fleet import model as fleet
from hatoba.gateway.access import Identities
from hatoba.gateway.call import Principal
from hatoba.store.store import View


def is_own_log(workload: fleet.Workload, container: str, group: str) -> bool:
    """Whether the container writes there anyway. `container`: its name."""
    logs = (each.log for each in workload.containers if each.name == container)
    return any(log is not None and log.driver == "awslogs" and log.group == group for log in logs)


def credentials(view: View, workload: fleet.Workload) -> Iterator[fleet.Credential]:
    """Those of the task's role; none where it has no role."""
    return (each for each in view.index(fleet.credentials, "workload", workload.id) if each.scope == workload.scope)


def writer(view: View, identities: Identities, workload: fleet.Workload) -> Principal | None:
    """The task, as it is known by its credentials; None for one that has no role. Raises `LookupError` where they do
    not work any more."""
    for each in credentials(view, workload):
        known = identities.find(each.access_key)
        if known is None:
            raise LookupError("The task's credentials have ended.")
        assert isinstance(known.principal, Principal)
        return known.principal
    return None


def asks_whoever_enters(view: View, scope: Scope, task: str, runtime: str, group: str) -> tuple[bool, bool]:
    """Whether who enters a container by ECS has to be allowed to write to the log group, and to a bucket."""
    workload = view.find(fleet.workloads, scope, task)
    if workload is None or next(credentials(view, workload), None) is not None:
        return False, False  # nothing is held there; or the task's role is asked
    status = view.find(fleet.workload_statuses, scope, task)
    names = [each.name for each in status.containers if each.runtime_id == runtime] if status is not None else []
    return not any(is_own_log(workload, name, group) for name in names), True
