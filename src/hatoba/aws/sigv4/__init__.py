"""Signature Version 4: who sent a request, and that nobody changed it.

verify      a request signed in its headers or presigned in its query
content     its body, checked while it streams: signed whole or in `chunks`
sign        signs requests, for our own clients and tests
canonical   what is signed, and with which key
credential  access keys, and what a verified request says of its sender
refusals    how AWS words what is wrong
rules       in what services differ: S3 and its kin
version2    presigned requests of the version before, which S3 takes
"""

from hatoba.aws.sigv4.chunks import content
from hatoba.aws.sigv4.credential import Credential, Verified
from hatoba.aws.sigv4.sign import presign, sign
from hatoba.aws.sigv4.verify import signing_scope, verify

__all__ = ["Credential", "Verified", "content", "presign", "sign", "signing_scope", "verify"]
