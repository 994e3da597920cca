"""The shapes of `kms`, made from its model when they are used. Types: the generated `kms.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("kms")
