"""The shapes of `organizations`, made from its model when they are used. Types: the generated `organizations.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("organizations")
