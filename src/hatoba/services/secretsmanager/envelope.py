"""How a value is kept: AES-256-GCM under a data key, which KMS made and encrypted.

As the user guide says it ("Secret encryption and decryption"): a data key for each version, with the secret's ARN and
the version's id as encryption context. The data key is nowhere but in memory while it is used. KMS is asked with the
permissions of whoever asks for the secret (`asking`); for replicas, under the service's own role.
"""

from __future__ import annotations

from hatoba.aws.shapes import secretsmanager as t
from hatoba.core.errors import AwsError, Refused
from hatoba.core.secret import Sealer
from hatoba.gateway.call import Call, Door
from hatoba.services.secretsmanager import model
from hatoba.services.secretsmanager.model import StoredSecret, Version

DEFAULT_KEY = "alias/aws/secretsmanager"
Value = str | bytes


async def encrypted(aws: Door, secret: StoredSecret, name: str, value: Value, *, now: float) -> Version:
    """A version with this value, not written yet. Raises EncryptionFailure, AccessDeniedException."""
    try:
        answer = await aws.kms.generate_data_key(
            KeyId=secret.kms_key or DEFAULT_KEY, KeySpec="AES_256", EncryptionContext=_context(secret, name)
        )
    except AwsError as error:
        raise _worded(error, t.EncryptionFailure, "encrypt") from error
    plain = value.encode() if isinstance(value, str) else value
    return Version(
        key=model.versions.key(secret.scope, f"{secret.id}:{name}"),
        secret=secret.id,
        name=name,
        created=now,
        data_key=answer["CiphertextBlob"],
        sealed=Sealer(answer["Plaintext"]).seal(plain, _bound(secret, name)),
        binary=not isinstance(value, str),
        kms_key=answer["KeyId"],
    )


async def decrypted(aws: Door, secret: StoredSecret, version: Version) -> Value:
    """Raises DecryptionFailure, AccessDeniedException."""
    _, plain = await _opened(aws, secret, version)
    return plain if version.binary else plain.decode()


async def handed(here: Door, there: Door, secret: StoredSecret, copy: StoredSecret, version: Version) -> Version:
    """The version for a replica in another account: its data key as it is, now under the replica's key. So what is
    needed is to decrypt with the one key and to encrypt with the other. Raises DecryptionFailure, EncryptionFailure,
    AccessDeniedException."""
    data_key, plain = await _opened(here, secret, version)
    try:
        answer = await there.kms.encrypt(
            KeyId=copy.kms_key or DEFAULT_KEY,
            Plaintext=data_key,
            EncryptionContext=_context(copy, version.name),
        )
    except AwsError as error:
        raise _worded(error, t.EncryptionFailure, "encrypt") from error
    return Version(
        key=model.versions.key(copy.scope, f"{copy.id}:{version.name}"),
        secret=copy.id,
        name=version.name,
        created=version.created,
        data_key=answer["CiphertextBlob"],
        sealed=Sealer(data_key).seal(plain, _bound(copy, version.name)),
        binary=version.binary,
        kms_key=answer["KeyId"],
    )


async def _opened(aws: Door, secret: StoredSecret, version: Version) -> tuple[bytes, bytes]:
    """The data key, and what it keeps."""
    try:
        answer = await aws.kms.decrypt(
            CiphertextBlob=version.data_key, EncryptionContext=_context(secret, version.name)
        )
        data_key: bytes = answer["Plaintext"]
        return data_key, Sealer(data_key).unseal(version.sealed, _bound(secret, version.name))
    except Refused as error:
        raise t.DecryptionFailure("The protected secret text is damaged.") from error
    except AwsError as error:
        raise _worded(error, t.DecryptionFailure, "decrypt") from error


def asking(call: Call, secret: StoredSecret) -> Door:
    """The door to KMS where the secret is, which may be in another account than the caller."""
    return call.as_caller_in(secret.scope)


def _context(secret: StoredSecret, name: str) -> dict[str, str]:
    return {"SecretARN": secret.arn, "SecretVersionId": name}


def _bound(secret: StoredSecret, name: str) -> bytes:
    """A value that was put in another's place in the journal cannot be opened there."""
    return f"{secret.arn}\0{name}".encode()


def _worded(error: AwsError, failure: type[AwsError], verb: str) -> AwsError:
    if error.status >= 500:
        return error
    if error.code == "AccessDeniedException":
        return AwsError("Access to KMS is not allowed", code="AccessDeniedException")
    return failure(
        f"Secrets Manager can't {verb} the protected secret text using the provided KMS key. {error.message}"
    )
