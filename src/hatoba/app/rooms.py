"""The rooms of this control plane: the table of contents of what Hatoba can do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from hatoba.fleet import model as fleet
from hatoba.gateway.call import Platform, idempotent
from hatoba.gateway.room import Service
from hatoba.gateway.tags import tags
from hatoba.reconcile import Controller, Published
from hatoba.services import acm as acm_room
from hatoba.services import ecs as ecs_room
from hatoba.services import elbv2 as elbv2_room
from hatoba.services import organizations as organizations_room
from hatoba.services.cloudtrail import model as cloudtrail_model
from hatoba.services.cloudtrail.api import cloudtrail
from hatoba.services.ec2.api import ec2
from hatoba.services.ec2.controller import controllers as ec2_controllers
from hatoba.services.ec2.model import TABLES as EC2
from hatoba.services.ecr import model as ecr_model
from hatoba.services.ecr.api import ecr
from hatoba.services.ecr.lifecycle import Lifecycle
from hatoba.services.iam import model as iam_model
from hatoba.services.iam.api import iam
from hatoba.services.kms import model as kms_model
from hatoba.services.kms.api import kms
from hatoba.services.kms.controller import Keeper
from hatoba.services.logs import model as logs_model
from hatoba.services.logs.api import logs
from hatoba.services.logs.controller import Reaper, Retention
from hatoba.services.s3 import model as s3_model
from hatoba.services.s3.api import s3
from hatoba.services.secretsmanager import model as secretsmanager_model
from hatoba.services.secretsmanager.api import secretsmanager
from hatoba.services.secretsmanager.controller import controllers as secretsmanager_controllers
from hatoba.services.ssm import model as ssm_model
from hatoba.services.ssm.api import ssm
from hatoba.services.ssm.controller import Policies
from hatoba.services.ssm.session import model as sessions_model
from hatoba.services.sts import model as sts_model
from hatoba.services.sts.api import sts
from hatoba.store import Table
from hatoba.streams.port import Streams


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """What a room brings along: its operations, what it stores, what converges, and whose changes others may wait
    for."""

    service: Service
    tables: tuple[Table[Any], ...] = ()
    controllers: Callable[[Platform], Iterable[Controller]] = lambda platform: ()
    published: tuple[Published, ...] = ()


def _ecs_controllers(platform: Platform) -> Iterable[Controller]:
    return ecs_room.controllers(platform, platform.get(ecs_room.Settings))


def _logs_controllers(platform: Platform) -> Iterable[Controller]:
    engine = platform.get(Streams)  # type: ignore[type-abstract]
    return Reaper(platform.store, engine), Retention(platform.store, engine, platform.clock)


ROOMS: tuple[Room, ...] = (
    Room(service=ecs_room.ecs, tables=ecs_room.TABLES, controllers=_ecs_controllers),
    Room(
        service=ecr,
        tables=ecr_model.TABLES,
        controllers=lambda platform: (Lifecycle(platform.store, platform.clock),),
    ),
    Room(service=ec2, tables=EC2, controllers=ec2_controllers),
    Room(service=logs, tables=logs_model.TABLES, controllers=_logs_controllers),
    Room(
        service=acm_room.acm,
        tables=acm_room.TABLES,
        controllers=lambda platform: (acm_room.Renewals(platform),),
    ),
    Room(service=elbv2_room.elbv2, tables=elbv2_room.TABLES, controllers=elbv2_room.controllers),
    Room(service=iam, tables=iam_model.TABLES),
    Room(service=sts, tables=sts_model.TABLES),
    Room(
        service=organizations_room.organizations,
        tables=organizations_room.TABLES,
        controllers=organizations_room.controllers,
    ),
    Room(service=cloudtrail, tables=cloudtrail_model.TABLES),
    Room(
        service=kms,
        tables=kms_model.TABLES,
        controllers=lambda platform: (Keeper(platform.store, platform.clock, platform.ids),),
    ),
    Room(service=s3, tables=s3_model.TABLES),
    Room(
        service=ssm,
        tables=(*ssm_model.TABLES, *sessions_model.TABLES),
        controllers=lambda platform: (Policies(platform),),
        published=ssm_model.PUBLISHED,
    ),
    Room(
        service=secretsmanager,
        tables=secretsmanager_model.TABLES,
        controllers=secretsmanager_controllers,
        published=secretsmanager_model.PUBLISHED,
    ),
)

SHARED: tuple[Table[Any], ...] = (*fleet.TABLES, tags, idempotent)


def tables() -> list[Table[Any]]:
    return [*SHARED, *(table for room in ROOMS for table in room.tables)]
