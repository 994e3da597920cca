"""What converges: one controller per kind of thing, each woken by the feed.

task        one task: its interface, its workload on a node, what the node says of it, its end
service     one service: starts, stops and replaces tasks, joins them to load balancers, rolls out deployments
task_set    one task set of a service whose deployments somebody else decides
hook        one run of a deployment's lifecycle hook
secret_files  keeps the secret files of running tasks what they were made of
secret_rolls  deploys services anew when a secret of theirs changes, if they want that
outbox      hands what happened to the event bus, where there is one
memory      forgets stopped tasks when their time has come
definition  forgets deleted revisions that nothing refers to any more
"""

from __future__ import annotations

from hatoba.gateway.call import Platform
from hatoba.reconcile import Controller
from hatoba.services.ecs.controller.definition import DefinitionController
from hatoba.services.ecs.controller.hook import HookController
from hatoba.services.ecs.controller.memory import MemoryController
from hatoba.services.ecs.controller.outbox import Outbox
from hatoba.services.ecs.controller.secret_files import SecretFiles
from hatoba.services.ecs.controller.secret_rolls import SecretRolls
from hatoba.services.ecs.controller.service import ServiceController
from hatoba.services.ecs.controller.task import TaskController
from hatoba.services.ecs.controller.task_set import TaskSetController
from hatoba.services.ecs.model.settings import Settings


def controllers(platform: Platform, settings: Settings) -> tuple[Controller, ...]:
    return (
        *_outbox(platform),
        TaskController(platform, settings),
        ServiceController(platform, settings),
        TaskSetController(platform, settings),
        HookController(platform),
        SecretFiles(platform),
        SecretRolls(platform),
        MemoryController(platform, settings),
        DefinitionController(platform),
    )


def _outbox(platform: Platform) -> tuple[Controller, ...]:
    if not platform.serves("events"):
        return ()
    outbox = Outbox(platform)
    outbox.attach()
    return (outbox,)
