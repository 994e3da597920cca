"""ECR's decisions: may a tag move, is a text a policy."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec

from hatoba.services.ecr.model import Repository


def may_move(repository: Repository, tag: str) -> bool:
    """Whether a tag that is there may be given to another image.

    An exclusion turns the mutability round for the tags that it matches (user guide, "Image tag mutability").
    """
    excluded = any(fnmatchcase(tag, wildcard) for wildcard in repository.exclusions)
    match repository.mutability:
        case "MUTABLE":
            return True
        case "IMMUTABLE":
            return False
        case "IMMUTABLE_WITH_EXCLUSION":
            return excluded
        case "MUTABLE_WITH_EXCLUSION":
            return not excluded


def immutable_message(repository: str, tag: str) -> str:
    return (
        f"The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten "
        "because the repository is immutable."
    )


def is_policy(text: str) -> bool:
    """A JSON object with at least one statement."""
    try:
        policy = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return isinstance(policy, dict) and isinstance(policy.get("Statement"), (list, dict)) and bool(policy["Statement"])
