"""The shapes of `secretsmanager`, made from its model when they are used. Types: the generated `secretsmanager.pyi`."""

from hatoba.aws.shapes._lazy import exporter

__getattr__ = exporter("secretsmanager")
