"""The shapes of `elbv2`, made from its model when they are used. Types: the generated `elbv2.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("elbv2")
