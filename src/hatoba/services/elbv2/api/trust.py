"""Trust stores: authorities, and what these have revoked.

Their content is read from S3, with the permissions of whoever asks. Listeners that verify by a trust store follow its
changes in the same transaction.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from hatoba.aws.shapes import elbv2 as t
from hatoba.core.errors import AwsError
from hatoba.core.records import replace
from hatoba.gateway.call import Call
from hatoba.gateway.tags import forget_tags
from hatoba.services.elbv2 import handed
from hatoba.services.elbv2.api.room import check_arn, checked_tags, elbv2, next_marker, page, tag, the_trust_store
from hatoba.services.elbv2.carried import publish_all
from hatoba.services.elbv2.model import arns
from hatoba.services.elbv2.model.listener import balancer_of, listeners_trusting
from hatoba.services.elbv2.model.trust import (
    Revocation,
    TrustStore,
    trust_store_by_arn,
    trust_store_named,
    trust_stores,
)
from hatoba.services.elbv2.plan import trust
from hatoba.services.elbv2.plan.errors import invalid
from hatoba.store import Tx


def _shown(record: TrustStore) -> t.TrustStore:
    return {
        "Name": record.name,
        "TrustStoreArn": record.arn,
        "Status": "ACTIVE",
        "NumberOfCaCertificates": record.authorities,
        "TotalRevokedEntries": record.entries,
    }


async def _object(call: Call, bucket: str, key: str, version: str | None) -> bytes | str:
    """The object, or why it cannot be had."""
    which = {"VersionId": version} if version else {}
    try:
        answer = await call.aws_as_caller.s3.get_object(Bucket=bucket, Key=key, **which)
    except AwsError as error:
        if error.status >= 500 and error.status != 501:
            raise
        return f"s3://{bucket}/{key}: {error.message}"
    body: bytes | AsyncIterator[bytes] = answer.get("Body") or b""
    if isinstance(body, bytes):
        return body
    found = bytearray()
    async for piece in body:
        found += piece
        if len(found) > trust.LONGEST_FILE:
            return f"s3://{bucket}/{key} has more than {trust.LONGEST_FILE} bytes"
    return bytes(found)


async def _bundle(call: Call, req: t.CreateTrustStoreInput | t.ModifyTrustStoreInput) -> tuple[str, int]:
    version = req.get("CaCertificatesBundleS3ObjectVersion")
    found = await _object(call, req["CaCertificatesBundleS3Bucket"], req["CaCertificatesBundleS3Key"], version)
    if isinstance(found, str):
        raise t.CaCertificatesBundleNotFoundException(
            f"The specified ca certificate bundle does not exist, or cannot be read: {found}"
        )
    return trust.authorities(found)


@elbv2.operation
async def create_trust_store(req: t.CreateTrustStoreInput, call: Call) -> t.CreateTrustStoreOutput:
    tags = checked_tags(req.get("Tags"), t.DuplicateTagKeysException)
    bundle, count = await _bundle(call, req)
    with call.tx() as tx:
        if trust_store_named(tx, call.scope, req["Name"]) is not None:
            raise t.DuplicateTrustStoreNameException(
                f"A trust store with the specified name '{req['Name']}' already exists"
            )
        if sum(1 for _ in tx.scan(trust_stores, call.scope)) >= trust.MOST_STORES:
            raise t.TooManyTrustStoresException(f"There can be at most {trust.MOST_STORES} trust stores")
        key = trust_stores.key(call.scope, f"{req['Name']}/{call.ids.hex(16)}")
        record = tx.put(trust_stores, TrustStore(key=key, name=req["Name"], bundle=bundle, authorities=count))
        tag(tx, call, record.arn, tags)
    return {"TrustStores": [_shown(record)]}


@elbv2.operation
async def modify_trust_store(req: t.ModifyTrustStoreInput, call: Call) -> t.ModifyTrustStoreOutput:
    the_trust_store(call.store, call, req["TrustStoreArn"])
    bundle, count = await _bundle(call, req)
    with call.tx() as tx:
        record = the_trust_store(tx, call, req["TrustStoreArn"])
        record = tx.put(trust_stores, replace(record, bundle=bundle, authorities=count))
        _publish(tx, record)
    return {"TrustStores": [_shown(record)]}


def _publish(tx: Tx, record: TrustStore) -> None:
    users = (balancer_of(tx, listener) for listener in listeners_trusting(tx, record.arn))
    publish_all(tx, {each.id: each for each in users}.values())


@elbv2.operation
async def delete_trust_store(req: t.DeleteTrustStoreInput, call: Call) -> t.DeleteTrustStoreOutput:
    with call.tx() as tx:
        record = the_trust_store(tx, call, req["TrustStoreArn"])
        if listeners_trusting(tx, record.arn):
            raise t.TrustStoreInUseException(f"The specified trust store '{record.arn}' is currently in use")
        tx.forget(trust_stores, record.key)
        forget_tags(tx, call.scope, record.arn)
    return {}


@elbv2.operation
async def describe_trust_stores(req: t.DescribeTrustStoresInput, call: Call) -> t.DescribeTrustStoresOutput:
    arns, names = req.get("TrustStoreArns"), req.get("Names")
    if arns and names:
        raise invalid("Trust store names and trust store ARNs cannot be specified at the same time")
    rows: Iterable[TrustStore]
    if arns:
        rows = [the_trust_store(call.store, call, arn) for arn in arns]
    elif names:
        rows = [_named(call, name) for name in names]
    else:
        rows = call.store.scan(trust_stores, call.scope)
    found, more = page(call, {row.id: row for row in rows}.values(), dict(req), lambda record: record.id)
    return {"TrustStores": [_shown(record) for record in found], **next_marker(more)}


def _named(call: Call, name: str) -> TrustStore:
    found = trust_store_named(call.store, call.scope, name)
    if found is None:
        raise t.TrustStoreNotFoundException(f"The specified trust store '{name}' does not exist")
    return found


@elbv2.operation
async def describe_trust_store_associations(
    req: t.DescribeTrustStoreAssociationsInput, call: Call
) -> t.DescribeTrustStoreAssociationsOutput:
    """The load balancers with listeners that use it."""
    record = the_trust_store(call.store, call, req["TrustStoreArn"])
    users = {balancer_of(call.store, each).arn for each in listeners_trusting(call.store, record.arn)}
    found, more = page(call, sorted(users), dict(req), str)
    shown: list[t.TrustStoreAssociation] = [{"ResourceArn": arn} for arn in found]
    return {"TrustStoreAssociations": shown, **next_marker(more)}


@elbv2.operation
async def delete_shared_trust_store_association(
    req: t.DeleteSharedTrustStoreAssociationInput, call: Call
) -> t.DeleteSharedTrustStoreAssociationOutput:
    """There are none to delete: trust stores are not shared, so every association is within the account."""
    record = the_trust_store(call.store, call, req["TrustStoreArn"])
    check_arn(req["ResourceArn"], arns.LOAD_BALANCER)
    users = {balancer_of(call.store, each).arn for each in listeners_trusting(call.store, record.arn)}
    if req["ResourceArn"] in users:
        raise t.DeleteAssociationSameAccountException(
            f"The association of '{req['ResourceArn']}' is within the account that owns the trust store"
        )
    raise t.TrustStoreAssociationNotFoundException(
        f"The trust store '{record.arn}' is not associated with '{req['ResourceArn']}'"
    )


@elbv2.operation
async def get_resource_policy(req: t.GetResourcePolicyInput, call: Call) -> t.GetResourcePolicyOutput:
    """Of a trust store, which nobody has shared: it has none."""
    record = trust_store_by_arn(call.store, req["ResourceArn"])
    if record is None or record.scope != call.scope:
        raise t.ResourceNotFoundException(f"The specified resource '{req['ResourceArn']}' does not exist")
    return {}


# --- contents


@elbv2.operation
async def get_trust_store_ca_certificates_bundle(
    req: t.GetTrustStoreCaCertificatesBundleInput, call: Call
) -> t.GetTrustStoreCaCertificatesBundleOutput:
    record = the_trust_store(call.store, call, req["TrustStoreArn"])
    return {"Location": handed.location(call, record, handed.BUNDLE)}


@elbv2.operation
async def get_trust_store_revocation_content(
    req: t.GetTrustStoreRevocationContentInput, call: Call
) -> t.GetTrustStoreRevocationContentOutput:
    record = the_trust_store(call.store, call, req["TrustStoreArn"])
    (found,) = _numbered(record, [req["RevocationId"]])
    return {"Location": handed.location(call, record, handed.revocation(found.id))}


# --- revocations


@elbv2.operation
async def add_trust_store_revocations(
    req: t.AddTrustStoreRevocationsInput, call: Call
) -> t.AddTrustStoreRevocationsOutput:
    the_trust_store(call.store, call, req["TrustStoreArn"])
    given = req.get("RevocationContents")
    if not given:
        raise invalid("At least one revocation file must be specified")
    read = [await _revocation(call, each) for each in given]
    with call.tx() as tx:
        record = the_trust_store(tx, call, req["TrustStoreArn"])
        new = tuple(
            Revocation(id=number, content=content, entries=entries)
            for number, (content, entries) in enumerate(read, record.numbered + 1)
        )
        record = replace(record, revocations=(*record.revocations, *new), numbered=record.numbered + len(new))
        if len(record.revocations) > trust.MOST_LISTS or record.entries > trust.MOST_ENTRIES:
            raise t.TooManyTrustStoreRevocationEntriesException(
                f"A trust store can have at most {trust.MOST_LISTS} revocation files with {trust.MOST_ENTRIES} entries"
            )
        record = tx.put(trust_stores, record)
        _publish(tx, record)
    shown: list[t.TrustStoreRevocation] = [
        {"TrustStoreArn": record.arn, "RevocationId": each.id, "RevocationType": "CRL",
         "NumberOfRevokedEntries": each.entries}
        for each in new
    ]  # fmt: skip
    return {"TrustStoreRevocations": shown}


async def _revocation(call: Call, given: t.RevocationContent) -> tuple[str, int]:
    found = await _object(call, given.get("S3Bucket") or "", given.get("S3Key") or "", given.get("S3ObjectVersion"))
    if isinstance(found, str):
        raise t.RevocationContentNotFoundException(
            f"The specified revocation file does not exist, or cannot be read: {found}"
        )
    return trust.revocations(found)


@elbv2.operation
async def remove_trust_store_revocations(
    req: t.RemoveTrustStoreRevocationsInput, call: Call
) -> t.RemoveTrustStoreRevocationsOutput:
    with call.tx() as tx:
        record = the_trust_store(tx, call, req["TrustStoreArn"])
        gone = {each.id for each in _numbered(record, req["RevocationIds"])}
        left = tuple(each for each in record.revocations if each.id not in gone)
        _publish(tx, tx.put(trust_stores, replace(record, revocations=left)))
    return {}


@elbv2.operation
async def describe_trust_store_revocations(
    req: t.DescribeTrustStoreRevocationsInput, call: Call
) -> t.DescribeTrustStoreRevocationsOutput:
    record = the_trust_store(call.store, call, req["TrustStoreArn"])
    ids = req.get("RevocationIds")
    rows = _numbered(record, ids) if ids else record.revocations
    found, more = page(call, rows, dict(req), lambda each: f"{each.id:012d}")
    shown: list[t.DescribeTrustStoreRevocation] = [
        {"TrustStoreArn": record.arn, "RevocationId": each.id, "RevocationType": "CRL",
         "NumberOfRevokedEntries": each.entries}
        for each in found
    ]  # fmt: skip
    return {"TrustStoreRevocations": shown, **next_marker(more)}


def _numbered(record: TrustStore, ids: Iterable[int]) -> list[Revocation]:
    known = {each.id: each for each in record.revocations}
    missing = [str(id_) for id_ in ids if id_ not in known]
    if missing:
        raise t.RevocationIdNotFoundException(f"The specified revocation IDs [{', '.join(missing)}] do not exist")
    return [known[id_] for id_ in dict.fromkeys(ids)]
