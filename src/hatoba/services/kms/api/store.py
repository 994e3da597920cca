"""Custom key stores: there are none. Clients that ask for them are told so."""

from __future__ import annotations

from hatoba.aws.shapes import kms as t
from hatoba.gateway.call import Call
from hatoba.services.kms.api.room import kms


@kms.operation
async def describe_custom_key_stores(
    req: t.DescribeCustomKeyStoresRequest, call: Call
) -> t.DescribeCustomKeyStoresResponse:
    name = req.get("CustomKeyStoreId") or req.get("CustomKeyStoreName")
    if name is not None:
        raise t.CustomKeyStoreNotFoundException(f"Custom key store {name} does not exist.")
    if "Marker" in req:
        raise t.InvalidMarkerException("Could not deserialize marker")
    return {"CustomKeyStores": [], "Truncated": False}
