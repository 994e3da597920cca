"""The shapes of `s3`, made from its model when they are used. Types: the generated `s3.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("s3")
