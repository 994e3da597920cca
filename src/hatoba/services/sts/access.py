"""What STS's operations need to be allowed.

Source: the service authorisation reference, "AWS Security Token Service".
"""

from __future__ import annotations

from hatoba.gateway.needs import Access, anyone, named, on

ACCESS = Access(
    "sts",
    {
        "AssumeRole": on(named("RoleArn", lambda call, name: name)),
        "GetCallerIdentity": anyone,
        "GetSessionToken": anyone,
    },
)
