"""The shapes of `acm`, made from its model when they are used. Types: the generated `acm.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("acm")
