"""What CloudTrail's operations need to be allowed. Source: the service authorisation reference, "AWS CloudTrail"."""

from __future__ import annotations

from hatoba.gateway.needs import Access, on

ACCESS = Access("cloudtrail", {"DescribeTrails": on(), "ListTrails": on(), "LookupEvents": on()})
