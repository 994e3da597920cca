"""Records → the model's shapes."""

from __future__ import annotations

from hatoba.aws.shapes import ecr as t
from hatoba.services.ecr.model import Image, LifecyclePolicy, Repository, repository_arn
from hatoba.services.ecr.naming import Naming
from hatoba.services.ecr.plan.lifecycle import Expiry


def repository(record: Repository, naming: Naming) -> t.Repository:
    scope, name = record.scope, record.id
    shown: t.Repository = {
        "repositoryArn": repository_arn(scope, name),
        "registryId": scope.account,
        "repositoryName": name,
        "repositoryUri": naming.uri(scope, name),
        "createdAt": record.created,
        "imageTagMutability": record.mutability,
        "imageScanningConfiguration": {"scanOnPush": record.scan_on_push},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    }
    if record.exclusions:
        shown["imageTagMutabilityExclusionFilters"] = exclusions(record)
    return shown


def exclusions(record: Repository) -> list[t.ImageTagMutabilityExclusionFilter]:
    return [{"filterType": "WILDCARD", "filter": wildcard} for wildcard in record.exclusions]


def image_detail(image: Image, tags: list[str]) -> t.ImageDetail:
    shown: t.ImageDetail = {
        "registryId": image.scope.account,
        "repositoryName": image.repository,
        "imageDigest": image.digest,
        "imageSizeInBytes": image.content_size,
        "imagePushedAt": image.pushed,
        "imageManifestMediaType": image.media_type,
        "imageStatus": "ACTIVE",
    }
    if tags:
        shown["imageTags"] = tags
    if artifact := image.artifact_type or image.config_media_type:
        shown["artifactMediaType"] = artifact
    if image.pulled is not None:
        shown["lastRecordedPullTime"] = image.pulled
    if image.subject is not None:
        shown["subjectManifestDigest"] = image.subject
    return shown


def identifiers(digest: str, tags: list[str]) -> list[t.ImageIdentifier]:
    """An image's names: one for each tag, or the digest alone."""
    if not tags:
        return [{"imageDigest": digest}]
    return [{"imageDigest": digest, "imageTag": tag} for tag in tags]


def image(image: Image, tag: str | None, manifest: str) -> t.Image:
    named: t.ImageIdentifier = {"imageDigest": image.digest}
    if tag is not None:
        named["imageTag"] = tag
    return {
        "registryId": image.scope.account,
        "repositoryName": image.repository,
        "imageId": named,
        "imageManifest": manifest,
        "imageManifestMediaType": image.media_type,
    }


def referrer(image: Image) -> t.ImageReferrer:
    shown: t.ImageReferrer = {
        "digest": image.digest,
        "mediaType": image.media_type,
        "size": image.size,
        "artifactStatus": "ACTIVE",
    }
    if image.artifact_type:
        shown["artifactType"] = image.artifact_type
    if image.annotations:
        shown["annotations"] = image.annotations
    return shown


def lifecycle_policy(record: LifecyclePolicy) -> t.GetLifecyclePolicyResponse:
    shown: t.GetLifecyclePolicyResponse = {
        "registryId": record.scope.account,
        "repositoryName": record.id,
        "lifecyclePolicyText": record.text,
    }
    if record.evaluated is not None:
        shown["lastEvaluatedAt"] = record.evaluated
    return shown


def expiry(found: Expiry) -> t.LifecyclePolicyPreviewResult:
    return {
        "imageTags": list(found.image.tags),
        "imageDigest": found.image.digest,
        "imagePushedAt": found.image.pushed,
        "action": {"type": "EXPIRE"},
        "appliedRulePriority": found.priority,
    }
