"""The shapes of `sts`, made from its model when they are used. Types: the generated `sts.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("sts")
