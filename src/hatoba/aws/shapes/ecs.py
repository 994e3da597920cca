"""The shapes of `ecs`, made from its model when they are used. Types: the generated `ecs.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("ecs")
