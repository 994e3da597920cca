"""What is said of assertions that are refused, and the names that XML's standards give to things."""

from __future__ import annotations

ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}"
PROTOCOL = "{urn:oasis:names:tc:SAML:2.0:protocol}"
METADATA = "{urn:oasis:names:tc:SAML:2.0:metadata}"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}"
ENCRYPTION = "{http://www.w3.org/2001/04/xmlenc#}"
ENCRYPTION11 = "{http://www.w3.org/2009/xmlenc11#}"

UNREADABLE = "Your request included an invalid SAML response."
UNSIGNED = "Response signature invalid"


class BadAssertion(ValueError):
    """Not to be believed; the text says why, in a sentence that may be told to whoever sent it."""


class Late(BadAssertion):
    """It was good once."""


class Rejected(BadAssertion):
    """The provider itself says that somebody is not who they say."""
