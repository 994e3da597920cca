"""In what services differ where requests are signed: S3 and its kin from all the others.

Source: S3's API reference, "Authenticating Requests (AWS Signature Version 4)".
"""

from __future__ import annotations

import msgspec


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    path_once: bool = False  # the path is encoded once, and nothing of it is normalised: a key may be `a//../b`
    body_said: bool = False  # `x-amz-content-sha256` is sent along, and a body that does not fit has a name
    presigned_body: bool = True  # a presigned request's signature covers its body


_OBJECTS = Rules(path_once=True, body_said=True, presigned_body=False)
_OTHERS = Rules()
_KIN = frozenset(("s3", "s3express", "s3-object-lambda", "s3-outposts"))


def rules(signing_name: str) -> Rules:
    return _OBJECTS if signing_name in _KIN else _OTHERS
