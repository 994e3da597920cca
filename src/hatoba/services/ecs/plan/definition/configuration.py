"""Rules of what a container is configured with: its environment, secrets, environment files, a registry's login.

Pure, like `containers`. What a definition refers to is read when a task starts; that each reference can be read at all
is known here. Sources: the developer guide, "Pass sensitive data" and "Environment variables"; messages as users
report them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from hatoba.aws.shapes import ecs as t
from hatoba.core.keys import Scope
from hatoba.services.ecs.plan import secret_files, secrets

MOST_FILES = 10
_ANY = Scope("aws", "", "")  # the form of a reference does not depend on who asks


def check(container: t.ContainerDefinition, req: t.RegisterTaskDefinitionRequest) -> None:
    if any(not pair.get("name") for pair in container["environment"]):
        raise t.ClientException("Environment variable name cannot be null or blank.")
    _secrets(container)
    if (why := _refused_files(container.get("environmentFiles") or ())) is not None:
        raise t.ClientException(why)
    if credentials := container.get("repositoryCredentials"):
        _login(credentials["credentialsParameter"])
    try:
        with_files = secret_files.check(container, _ANY)
    except secrets.Unreadable as error:
        raise t.ClientException(f"The docker label of the container {container['name']} is invalid: {error}") from None
    if not req.get("executionRoleArn"):
        _needs_role(container)
        if with_files:
            raise t.ClientException(_role_words("secret files"))


def _needs_role(container: t.ContainerDefinition) -> None:
    for member, words in (
        ("secrets", "container secrets"),
        ("environmentFiles", "environment files"),
        ("repositoryCredentials", "repository credentials"),
    ):
        if container.get(member):
            raise t.ClientException(_role_words(words))


def _role_words(what: str) -> str:
    return f"When you are specifying {what}, you must also specify a value for 'executionRoleArn'."


def _secrets(container: t.ContainerDefinition) -> None:
    listed = container.get("secrets") or ()
    names = [secret["name"] for secret in listed]
    if not all(names):
        raise t.ClientException("Secret name cannot be null or blank.")
    if (twice := next((name for name in names if names.count(name) > 1), None)) is not None:
        raise t.ClientException(f"Duplicate secret names found: {twice}. Each secret name must be unique.")
    if (name := shared(names, (pair["name"] for pair in container["environment"]))) is not None:
        raise t.ClientException(shared_words(name))
    check_references(listed)


def check_references(listed: Sequence[t.Secret]) -> None:
    for secret in listed:
        try:
            secrets.reference(secret["valueFrom"], _ANY)
        except secrets.Unreadable as error:
            raise t.ClientException(_unreadable(secret, str(error))) from None


def _unreadable(secret: t.Secret, why: str) -> str:
    if ":secretsmanager:" in secret["valueFrom"]:
        return f"The ARN specified for secret {secret['name']} is invalid: {why}"
    return (
        f"The Systems Manager parameter name specified for secret {secret['name']} is invalid. The parameter name can "
        "be up to 2048 characters and include the following letters and symbols: a-zA-Z0-9_.-,"
    )


def refused_override(override: t.ContainerOverride, container: t.ContainerDefinition, role: str | None) -> str | None:
    """Why a task's override of a container's environment cannot be carried out."""
    names = [secret["name"] for secret in container.get("secrets") or ()]
    if (name := shared(names, (pair.get("name") for pair in override.get("environment") or ()))) is not None:
        return shared_words(name)
    if not (files := override.get("environmentFiles")):
        return None
    if role is None:
        return _role_words("environment files")
    return _refused_files(files)


def shared(names: Collection[str], variables: Iterable[str | None]) -> str | None:
    """A variable that is a secret too: which of the two would count?"""
    return next((name for name in variables if name is not None and name in names), None)


def shared_words(name: str) -> str:
    return (
        "The secret name must be unique and not shared with any new or existing environment variables set on the "
        f"container, such as '{name}'."
    )


def _refused_files(files: Sequence[t.EnvironmentFile]) -> str | None:
    if len(files) > MOST_FILES:
        return f"At most {MOST_FILES} environment files can be specified for a container."
    for file in files:
        try:
            secrets.object_at(file["value"])
        except secrets.Unreadable as error:
            return str(error)
    return None


def _login(parameter: str) -> None:
    try:
        secrets.login_source(parameter, _ANY)
    except secrets.Unreadable as error:
        raise t.ClientException(f"The credentialsParameter {parameter} is invalid: {error}") from None
