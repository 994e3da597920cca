"""Signature Version 4: who sent a request, and that nobody changed it.

`verify` checks a request signed in its headers or presigned in its query; `content` reads a body that streams and
checks it meanwhile, be it signed whole or chunk by chunk; `sign` signs requests, for our own clients and tests.
"""

from hatoba.aws.sigv4.chunks import content
from hatoba.aws.sigv4.credential import Credential, Verified
from hatoba.aws.sigv4.sign import presign, sign
from hatoba.aws.sigv4.verify import signing_scope, verify

__all__ = ["Credential", "Verified", "content", "presign", "sign", "signing_scope", "verify"]
