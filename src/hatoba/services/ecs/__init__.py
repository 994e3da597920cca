"""ECS: clusters, task definitions, tasks and services.

    api/         the operations: check → one transaction → view
    model/       what is stored
    plan/        what is to be done, decided in values
    controller/  does it: `task` looks after one task, `service` after one service, `definition` after deleted revisions
    views/       records → the model's shapes

The composition root takes `TABLES`, `ecs`, `controllers(platform, settings)`, and provides `Settings`.
"""

from hatoba.services.ecs.api import ecs
from hatoba.services.ecs.controller import controllers
from hatoba.services.ecs.model import TABLES
from hatoba.services.ecs.model.settings import Settings
from hatoba.services.ecs.telling import story

__all__ = ["TABLES", "Settings", "controllers", "ecs", "story"]
