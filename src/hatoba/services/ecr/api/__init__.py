"""ECR's operations, by noun."""

from hatoba.services.ecr.api import image, layer, lifecycle, policy, push, repository, tag, token
from hatoba.services.ecr.api.room import ecr

__all__ = ["ecr", "image", "layer", "lifecycle", "policy", "push", "repository", "tag", "token"]
