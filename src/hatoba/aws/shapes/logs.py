"""The shapes of `logs`, made from its model when they are used. Types: the generated `logs.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("logs")
