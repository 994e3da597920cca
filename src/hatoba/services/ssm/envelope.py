"""How a SecureString is kept: encrypted by KMS, asked with the permissions of whoever asks for it.

As the developer guide of KMS says it ("How Parameter Store uses KMS"): the parameter's ARN is the encryption context;
a standard parameter is encrypted by the KMS key itself, an advanced one, which may be longer than what KMS takes, under
a data key that stands, encrypted, before the value.
"""

from __future__ import annotations

import base64
import struct

from hatoba.aws.shapes import ssm as t
from hatoba.core.errors import AwsError, Refused
from hatoba.core.secret import Sealer
from hatoba.gateway.call import Call
from hatoba.services.ssm.model import Version, parameter_arn
from hatoba.services.ssm.plan.values import Tier

DEFAULT_KEY = "alias/aws/ssm"
_DATA_KEY = b"\x01"  # the first byte of a value under a data key; KMS's own blobs stand behind a 0
_DIRECT = b"\x00"
_LENGTH = struct.Struct(">H")
# What KMS answers when the key is not there, or not of the kind: the caller named it, so it is told.
_KEY_ERRORS = (
    "NotFoundException",
    "DisabledException",
    "KMSInvalidStateException",
    "InvalidKeyUsageException",
    "KeyUnavailableException",
    "InvalidArnException",
)


async def encrypted(call: Call, name: str, value: str, key_id: str, tier: Tier) -> bytes:
    """Raises InvalidKeyId."""
    context = {"PARAMETER_ARN": parameter_arn(call.scope, name)}
    plain = value.encode()
    try:
        if tier == "Standard":
            answer = await call.aws_as_caller.kms.encrypt(KeyId=key_id, Plaintext=plain, EncryptionContext=context)
            return _DIRECT + bytes(answer["CiphertextBlob"])
        answer = await call.aws_as_caller.kms.generate_data_key(
            KeyId=key_id, KeySpec="AES_256", EncryptionContext=context
        )
    except AwsError as error:
        raise _worded(error, key_id) from error
    blob: bytes = answer["CiphertextBlob"]
    sealed = Sealer(answer["Plaintext"]).seal(plain, context["PARAMETER_ARN"].encode())
    return _DATA_KEY + _LENGTH.pack(len(blob)) + blob + sealed


async def value_of(call: Call, version: Version, *, decrypt: bool) -> str:
    """The value, or, of a SecureString that is not to be decrypted, its ciphertext. Raises InvalidKeyId."""
    if version.value is not None:
        return version.value.reveal()
    assert version.ciphertext is not None
    assert version.key_id is not None
    if not decrypt:
        return base64.b64encode(version.ciphertext).decode()
    arn = parameter_arn(version.scope, version.name)
    kind, rest = version.ciphertext[:1], version.ciphertext[1:]
    blob, sealed = rest, b""
    if kind == _DATA_KEY:
        (length,) = _LENGTH.unpack_from(rest)
        blob, sealed = rest[_LENGTH.size : _LENGTH.size + length], rest[_LENGTH.size + length :]
    try:
        answer = await call.aws_as_caller.kms.decrypt(CiphertextBlob=blob, EncryptionContext={"PARAMETER_ARN": arn})
        plain: bytes = answer["Plaintext"]
        if kind == _DATA_KEY:
            plain = Sealer(plain).unseal(sealed, arn.encode())
    except Refused as error:
        raise t.InternalServerError("The value of the parameter is damaged.") from error
    except AwsError as error:
        raise _worded(error, version.key_id) from error
    return plain.decode()


def _worded(error: AwsError, key_id: str) -> AwsError:
    if error.code == "AccessDeniedException":
        return AwsError(f"{error.message} (Service: AWSKMS; Error Code: {error.code})", code=error.code)
    if error.code not in _KEY_ERRORS:
        return error
    return t.InvalidKeyId(f"{error.message} (Service: AWSKMS; Error Code: {error.code}; Key: {key_id})")
