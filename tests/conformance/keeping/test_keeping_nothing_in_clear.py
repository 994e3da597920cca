"""No secret stands in clear in the journal, the log, an error or the way a record is shown; nor can it be had by
changing what stands in the journal."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from hatoba.core.keys import Scope
from hatoba.core.records import replace
from hatoba.core.secret import Sealer, Secret
from hatoba.services.kms import model as kms_model
from hatoba.services.secretsmanager import model as secrets_model
from hatoba.services.ssm import model as ssm_model
from hatoba.store import Store
from hatoba.store.sqlite import SqliteJournal
from tests.conformance.keeping.rooms import ACCOUNT, TABLES, Platform, served

MARK = "correct-horse-battery"
SCOPE = Scope("aws", ACCOUNT, "us-east-1")


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    with served(tmp_path) as platform:
        yield platform


def forms(secret: bytes) -> list[bytes]:
    """As a secret may be found: as it is, in base64 from any of three places, in hexadecimal."""
    coded = [base64.b64encode(b"\0" * skip + secret)[4:-4] for skip in range(3)]
    return [secret, *coded, secret.hex().encode()]


def stands_in(data: bytes, secret: bytes) -> bool:
    return any(form in data for form in forms(secret))


def used(platform: Platform) -> list[bytes]:
    """Everything is done once that brings or gives a secret; those are returned."""
    ssm, secrets, kms = (platform.client(name) for name in ("ssm", "secretsmanager", "kms"))
    texts = [f"{MARK}-{number}-staple" for number in range(6)]
    ssm.put_parameter(Name="/a", Value=texts[0], Type="SecureString", Tags=[{"Key": "k", "Value": "v"}])
    ssm.put_parameter(Name="/a", Value=texts[1] + "x" * 5000, Overwrite=True, Tier="Advanced")
    ssm.put_parameter(Name="/b", Value=texts[2], Type="String", AllowedPattern=".*")
    ssm.get_parameter_history(Name="/a", WithDecryption=True)
    secrets.create_secret(Name="s", SecretString=texts[3], AddReplicaRegions=[{"Region": "eu-west-1"}])
    secrets.put_secret_value(SecretId="s", SecretBinary=texts[4].encode())
    secrets.batch_get_secret_value(SecretIdList=["s"])
    found = [text.encode() for text in texts]
    found.append(secrets.get_random_password()["RandomPassword"].encode())
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.decrypt(CiphertextBlob=kms.encrypt(KeyId=key, Plaintext=texts[5].encode())["CiphertextBlob"])
    found.append(kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"])
    found.append(kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")["PrivateKeyPlaintext"][30:90])
    found.append(kms.generate_random(NumberOfBytes=32)["Plaintext"])
    kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")
    grant = kms.create_grant(KeyId=key, GranteePrincipal="p", Operations=["Decrypt"])
    return [*found, grant["GrantToken"].encode()]


def material(platform: Platform) -> list[bytes]:
    """The bytes of all keys."""
    return [each.bytes() for key in platform.store.all(kms_model.keys) for each in key.material]


def test_nothing_in_the_journal_nor_in_the_log(
    platform: Platform, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "hatoba"):
        secret = used(platform) + material(platform)
        for refusal in refusals(platform):
            assert MARK not in refusal
    assert len(secret) > 15
    files = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert sum(map(len, files.values())) > 10_000
    files["the log"] = caplog.text.encode()
    found = [(name, each[:24]) for name, data in files.items() for each in secret if stands_in(data, each)]
    assert found == []


def refusals(platform: Platform) -> Iterator[str]:
    """What is said of requests that bring a secret and are wrong."""
    ssm, secrets, kms = (platform.client(name) for name in ("ssm", "secretsmanager", "kms"))
    wrong: list[tuple[Any, dict[str, Any]]] = [
        (ssm.put_parameter, {"Name": "/c", "Value": MARK * 500, "Type": "SecureString"}),
        (ssm.put_parameter, {"Name": "/c", "Value": MARK, "Type": "String", "AllowedPattern": "^[0-9]+$"}),
        (ssm.put_parameter, {"Name": "/c", "Value": MARK, "Type": "String", "DataType": "integer"}),
        (ssm.put_parameter, {"Name": "/c", "Value": MARK, "Type": "SecureString", "KeyId": "alias/none"}),
        (secrets.create_secret, {"Name": "c", "SecretString": MARK * 5000}),
        (secrets.create_secret, {"Name": "c", "SecretString": MARK, "KmsKeyId": "alias/none"}),
        (secrets.put_secret_value, {"SecretId": "none", "SecretString": MARK}),
        (kms.encrypt, {"KeyId": "alias/none", "Plaintext": MARK.encode()}),
        (kms.encrypt, {"KeyId": "alias/none", "Plaintext": MARK.encode() * 500}),
    ]
    for call, params in wrong:
        with pytest.raises(ClientError) as caught:
            call(**params)
        yield str(caught.value)


def test_records_do_not_show_what_they_hold(platform: Platform) -> None:
    secret = used(platform) + material(platform)
    shown = "\n".join(repr(record) for table in TABLES for record in platform.store.all(table)).encode()
    assert b"Secret(" in shown
    assert [each[:24] for each in secret if stands_in(shown, each)] == []


def test_a_value_cannot_be_had_by_putting_it_in_anothers_place(platform: Platform) -> None:
    """Whoever can write the journal, and call the API as somebody who may read one secret, does not get at another."""
    ssm, secrets = platform.client("ssm"), platform.client("secretsmanager")
    for name in ("mine", "yours"):
        ssm.put_parameter(Name=f"/{name}", Value=name, Type="SecureString")
        ssm.put_parameter(Name=f"/long/{name}", Value=name * 1500, Type="SecureString", Tier="Advanced")
        secrets.create_secret(Name=name, SecretString=name, ClientRequestToken=name.ljust(32, "0"))
    store = platform.store

    def swap() -> None:
        with store.tx() as tx:
            for folder in ("/", "/long/"):
                mine, yours = (tx.find(ssm_model.versions, SCOPE, f"{folder}{n}:0000000001") for n in ("mine", "yours"))
                assert mine is not None
                assert yours is not None
                tx.put(ssm_model.versions, replace(mine, ciphertext=yours.ciphertext))
            one, other = (tx.find(secrets_model.versions, SCOPE, f"{n}:{n.ljust(32, '0')}") for n in ("mine", "yours"))
            assert one is not None
            assert other is not None
            tx.put(secrets_model.versions, replace(one, sealed=other.sealed, data_key=other.data_key))

    platform.run(swap)
    for call, params in (
        (ssm.get_parameter, {"Name": "/mine", "WithDecryption": True}),
        (ssm.get_parameter, {"Name": "/long/mine", "WithDecryption": True}),
        (secrets.get_secret_value, {"SecretId": "mine"}),
    ):
        with pytest.raises(ClientError) as caught:
            call(**params)
        assert "yours" not in str(caught.value)


def test_a_journal_without_its_key_tells_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as platform:
        used(platform)
    another = Store(SqliteJournal(tmp_path / "journal.db", "NORMAL"), TABLES, Sealer(b"x" * 32))
    with pytest.raises(Exception, match="the master key is not the one"):
        another.open()
    another.close()


def test_secrets_are_the_same_after_a_restart(tmp_path: Path) -> None:
    with served(tmp_path) as platform:
        used(platform)
        before = [json.dumps(values(platform))]
    with served(tmp_path) as platform:
        assert [json.dumps(values(platform))] == before
        assert all(
            isinstance(each.secret, Secret) for key in platform.store.all(kms_model.keys) for each in key.material
        )


def values(platform: Platform) -> list[str]:
    ssm, secrets = platform.client("ssm"), platform.client("secretsmanager")
    history = ssm.get_parameter_history(Name="/a", WithDecryption=True)["Parameters"]
    current = secrets.get_secret_value(SecretId="s")["SecretBinary"].decode()
    previous = secrets.get_secret_value(SecretId="s", VersionStage="AWSPREVIOUS")["SecretString"]
    return [*(each["Value"] for each in history), current, previous]
