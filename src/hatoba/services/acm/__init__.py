"""Certificates for load balancers: imported, or issued by the platform's own authority."""

from hatoba.services.acm.api import acm
from hatoba.services.acm.controller import Renewals
from hatoba.services.acm.model import TABLES

__all__ = ["TABLES", "Renewals", "acm"]
