"""Hatoba: the AWS container platform as software that you own."""

__version__ = "0.1.0"
