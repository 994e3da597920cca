"""The documents of sessions, to be looked up: GetDocument, DescribeDocument, ListDocuments."""

from __future__ import annotations

from typing import Any, cast

from hatoba.aws.shapes import ssm as t
from hatoba.gateway.call import Call
from hatoba.gateway.continued import next_token
from hatoba.services.ssm.api.room import bad_token, ssm
from hatoba.services.ssm.plan import documents
from hatoba.services.ssm.plan.documents import Document

PAGE = 50


@ssm.operation
async def get_document(req: t.GetDocumentRequest, call: Call) -> t.GetDocumentResult:
    document = _find(req["Name"], req.get("DocumentVersion"), req.get("VersionName"))
    form = req.get("DocumentFormat", "JSON")
    return cast(
        t.GetDocumentResult,
        {**_identity(document, form), "Status": "Active", "Content": document.content},
    )


@ssm.operation
async def describe_document(req: t.DescribeDocumentRequest, call: Call) -> t.DescribeDocumentResult:
    document = _find(req["Name"], req.get("DocumentVersion"), req.get("VersionName"))
    shown = {
        **_identity(document),
        "Hash": document.hash,
        "HashType": "Sha256",
        "Owner": documents.OWNER,
        "Status": "Active",
        "Description": document.description,
        "Parameters": document.parameters,
        "PlatformTypes": list(documents.PLATFORMS),
        "SchemaVersion": documents.SCHEMA,
        "LatestVersion": documents.VERSION,
        "DefaultVersion": documents.VERSION,
        "Tags": [],
    }
    return {"Document": cast(t.DocumentDescription, shown)}


@ssm.operation
async def list_documents(req: t.ListDocumentsRequest, call: Call) -> t.ListDocumentsResult:
    filters = [(str(f["key"]), f["value"].split(",")) for f in req.get("DocumentFilterList") or ()]
    filters += [(f.get("Key", ""), list(f.get("Values") or ())) for f in req.get("Filters") or ()]
    rows = [document for document in documents.DOCUMENTS.values() if _passes(document, filters)]
    page, token = call.page(
        rows,
        order=lambda document: document.name,
        token=req.get("NextToken"),
        limit=req.get("MaxResults", PAGE),
        filters=filters,
        bad_token=bad_token,
    )
    identifiers = [{**_identity(document), "Owner": documents.OWNER} for document in page]
    for shown in identifiers:
        shown |= {"PlatformTypes": list(documents.PLATFORMS), "SchemaVersion": documents.SCHEMA, "Tags": []}
    return {"DocumentIdentifiers": cast(Any, identifiers), **next_token(token)}


def _find(name: str, version: str | None, named: str | None) -> Document:
    """By name, or by the ARN that shared documents are known by."""
    document = documents.DOCUMENTS.get(name.rpartition("/")[2] if name.startswith("arn:") else name)
    if document is None:
        raise t.InvalidDocument(f"Document with name {name} does not exist.")
    if named is not None or not documents.has_version(version):
        raise t.InvalidDocumentVersion(f"Document version {named or version} of document {name} does not exist.")
    return document


def _passes(document: Document, filters: list[tuple[str, list[str]]]) -> bool:
    found = [(name, documents.passes(document, name, values)) for name, values in filters]
    if (unknown := next((name for name, passes in found if passes is None), None)) is not None:
        raise t.InvalidFilterKey(f"The filter key {unknown} is not valid.")
    return all(passes for _, passes in found)


def _identity(document: Document, form: str = "JSON") -> dict[str, Any]:
    return {
        "Name": document.name,
        "CreatedDate": documents.CREATED,
        "DocumentVersion": documents.VERSION,
        "DocumentType": documents.TYPE,
        "DocumentFormat": form,
    }
