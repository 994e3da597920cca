"""The shapes of `cloudtrail`, made from its model when they are used. Types: the generated `cloudtrail.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("cloudtrail")
