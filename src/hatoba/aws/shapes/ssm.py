"""The shapes of `ssm`, made from its model when they are used. Types: the generated `ssm.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("ssm")
