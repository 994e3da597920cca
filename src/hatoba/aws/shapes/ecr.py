"""The shapes of `ecr`, made from its model when they are used. Types: the generated `ecr.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("ecr")
