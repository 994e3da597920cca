"""Tag mutability: may a tag that is there be given to another image?"""

from __future__ import annotations

from fnmatch import fnmatchcase

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
