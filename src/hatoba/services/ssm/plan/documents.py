"""The documents that sessions are started with, as Systems Manager shows them. Pure.

Written for what this room carries out (`session/`): the shape is Systems Manager's (schema 1.0 of session documents),
the words are ours. There are no documents of users' own.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec

OWNER = "Amazon"
CREATED = 1_760_000_000.0  # when the set that is listed here was made
TYPE, SCHEMA, VERSION = "Session", "1.0", "1"
PLATFORMS = ("Linux",)
COMMAND, LOG_GROUP = "command", "cloudWatchLogGroupName"
BUCKET, PREFIX = "s3BucketName", "s3KeyPrefix"
_PARAMETERS: dict[str, dict[str, str]] = {
    COMMAND: {"type": "String", "description": "(Optional) The program and its arguments. Without one, a shell."},
    LOG_GROUP: {"type": "String", "description": "(Optional) The log group that keeps what is shown.", "default": ""},
    BUCKET: {"type": "String", "description": "(Optional) The bucket that keeps what is shown.", "default": ""},
    PREFIX: {"type": "String", "description": "(Optional) What its keys there begin with.", "default": ""},
}


class Document(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    description: str

    @property
    def content(self) -> str:
        """JSON, which is YAML too."""
        written: dict[str, Any] = {
            "schemaVersion": SCHEMA,
            "description": self.description,
            "sessionType": "InteractiveCommands",
            "parameters": _PARAMETERS,
            "properties": {"linux": {"commands": f"{{{{ {COMMAND} }}}}", "runAsElevated": True}},
        }
        return json.dumps(written, indent=2)

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.content.encode()).hexdigest()

    @property
    def parameters(self) -> list[dict[str, str]]:
        named = {"type": "Type", "description": "Description", "default": "DefaultValue"}
        return [
            {"Name": name, **{named[key]: text for key, text in said.items()}} for name, said in _PARAMETERS.items()
        ]


DOCUMENTS = {
    document.name: document
    for document in (
        Document(name="AWS-StartInteractiveCommand", description="Runs one command in a session."),
        Document(
            name="AmazonECS-ExecuteInteractiveCommand", description="Runs a command in a container, for ECS Exec."
        ),
        Document(name="SSM-SessionManagerRunShell", description="Opens a shell in a session."),
    )
}


def has_version(asked: str | None) -> bool:
    """By DocumentVersion: a number, the default or the latest."""
    return asked in (None, VERSION, "$LATEST", "$DEFAULT")


def passes(document: Document, name: str, values: list[str]) -> bool | None:
    """Whether it passes a filter of ListDocuments; None: there is no such filter."""
    match name:
        case "Name":
            return any(document.name.startswith(value) for value in values)
        case "Owner":
            return bool({"All", "Public", "ThirdParty", OWNER} & set(values) - {"ThirdParty"})
        case "PlatformTypes":
            return bool(set(PLATFORMS) & set(values))
        case "DocumentType":
            return TYPE in values
        case "SearchKeyword":
            return all(value.lower() in f"{document.name} {document.description}".lower() for value in values)
        case "TargetType":
            return False
    return False if name.startswith("tag:") else None
