"""Accounts, the organisation that they are in, and what limits them there."""

from hatoba.services.organizations.api import organizations
from hatoba.services.organizations.controller import controllers
from hatoba.services.organizations.model import TABLES

__all__ = ["TABLES", "controllers", "organizations"]
