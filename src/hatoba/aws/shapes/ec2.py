"""The shapes of `ec2`, made from its model when they are used. Types: the generated `ec2.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("ec2")
