"""The shapes of `iam`, made from its model when they are used. Types: the generated `iam.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("iam")
