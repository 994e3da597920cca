"""Secrets of Secrets Manager, read as parameters: `/aws/reference/secretsmanager/<name>`, with a version's id or label.

As the user guide has it ("Referencing Secrets Manager secrets from Parameter Store parameters"): for whoever can be
given parameters only. Secrets Manager is asked through the front door, with the permissions of
whoever asks.
"""

from __future__ import annotations

import json
import re

from hatoba.aws.shapes import ssm as t
from hatoba.core.errors import AwsError
from hatoba.gateway.call import Call
from hatoba.services.ssm.plan.names import invalid

PREFIX = "/aws/reference/secretsmanager/"
_VERSION = re.compile(r"[0-9A-Za-z-]{32,64}")


def is_reference(text: str) -> bool:
    return text.strip(" ").startswith(PREFIX)


async def parameter(call: Call, text: str, *, decrypt: bool) -> t.Parameter:
    """Raises ParameterNotFound, ParameterVersionNotFound."""
    if not decrypt:
        raise invalid("WithDecryption flag must be True for retrieving a Secret Manager secret.")
    name, _, selector = text.strip(" ").partition(":")
    params = {"SecretId": name.removeprefix(PREFIX)}
    if not params["SecretId"]:
        raise invalid(f"A secret's name is missing after {PREFIX}.")
    if selector:
        params["VersionId" if _VERSION.fullmatch(selector) else "VersionStage"] = selector
    try:
        found = await call.aws_as_caller.secretsmanager.get_secret_value(**params)
    except AwsError as error:
        raise _worded(error, selector) from error
    binary = found.get("SecretBinary")
    if binary is not None:
        raise invalid("A secret that is not a text cannot be read as a parameter.")
    source = {
        "ARN": found["ARN"],
        "name": found["Name"],
        "versionId": found["VersionId"],
        "secretString": found["SecretString"],
        "versionStages": found.get("VersionStages", []),
        "createdDate": found["CreatedDate"],
    }
    shown: t.Parameter = {
        "Name": name,
        "Type": "SecureString",
        "Value": found["SecretString"],
        "Version": 0,
        "SourceResult": json.dumps(source),
        "LastModifiedDate": found["CreatedDate"],
        "ARN": found["ARN"],
        "DataType": "text",
    }
    if selector:
        shown["Selector"] = f":{selector}"
    return shown


def _worded(error: AwsError, selector: str) -> AwsError:
    if error.status >= 500 or error.code == "AccessDeniedException":
        return error
    said = f"An error occurred ({error.code}) when referencing Secrets Manager: {error.message}"
    return t.ParameterVersionNotFound(said) if selector and "secret value" in said else t.ParameterNotFound(said)
