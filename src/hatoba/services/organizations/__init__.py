"""Accounts, the organisation that they are in, and what limits them there."""

from hatoba.services.organizations.api import organizations
from hatoba.services.organizations.controller import Openings
from hatoba.services.organizations.model import TABLES

__all__ = ["TABLES", "Openings", "organizations"]
