"""Images: pushed by the distribution API or by ECR's own, seen by both at once."""

from __future__ import annotations

import hashlib
import http.client
import json
import time
import urllib.request
from typing import Any

import pytest

from tests.conformance.apart import ACCOUNT
from tests.conformance.ecr.platform import Platform, Registry
from tests.conformance.ecr.test_ecr_repositories import refused
from tests.conformance.oci.client import image, index

OCI = "application/vnd.oci.image.manifest.v1+json"


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Repository:
    def __init__(self, platform: Platform, name: str, **params: Any) -> None:
        self.name = name
        self.ecr = platform.client()
        self.http: Registry = platform.http()
        self.ecr.create_repository(repositoryName=name, **params)

    def push(self, tag: str | None, config: bytes = b'{"os":"linux"}', *layers: bytes, **members: Any) -> bytes:
        for content in (config, *layers):
            self.http.push(self.name, content)
        manifest = image(config, *layers, **members)
        answer = self.put(manifest, tag or digest_of(manifest))
        assert answer.status == 201, answer.data
        return manifest

    def put(self, manifest: bytes, reference: str) -> Any:
        return self.http("PUT", f"/v2/{self.name}/manifests/{reference}", manifest)

    def ids(self, **params: Any) -> list[dict[str, str]]:
        return self.ecr.list_images(repositoryName=self.name, **params)["imageIds"]

    def details(self, **params: Any) -> list[dict[str, Any]]:
        return self.ecr.describe_images(repositoryName=self.name, **params)["imageDetails"]


@pytest.fixture
def repository(shared: Platform, name: str) -> Repository:
    return Repository(shared, name)


def test_a_push_is_seen_at_once(repository: Repository) -> None:
    manifest = repository.push("v1", b"{}", b"layer one")
    (detail,) = repository.details()
    assert detail.pop("imagePushedAt").timestamp() == pytest.approx(time.time(), abs=60)
    assert detail == {
        "registryId": ACCOUNT,
        "repositoryName": repository.name,
        "imageDigest": digest_of(manifest),
        "imageTags": ["v1"],
        "imageSizeInBytes": len(b"{}layer one"),
        "imageManifestMediaType": OCI,
        "artifactMediaType": "application/vnd.oci.image.config.v1+json",
        "imageStatus": "ACTIVE",
    }
    assert repository.ids() == [{"imageDigest": digest_of(manifest), "imageTag": "v1"}]


def test_a_pull_is_recorded(repository: Repository) -> None:
    repository.push("v1")
    assert repository.http("GET", f"/v2/{repository.name}/manifests/v1").status == 200
    assert repository.details()[0]["lastRecordedPullTime"].timestamp() == pytest.approx(time.time(), abs=60)


def test_filters_and_pages(repository: Repository) -> None:
    tagged = [digest_of(repository.push(f"v{number}", f"{number}".encode())) for number in range(5)]
    untagged = digest_of(repository.push(None, b"none"))
    assert repository.ids(filter={"tagStatus": "UNTAGGED"}) == [{"imageDigest": untagged}]
    assert {found["imageDigest"] for found in repository.details(filter={"tagStatus": "TAGGED"})} == set(tagged)
    assert repository.details(filter={"imageStatus": "ARCHIVED"}) == []
    for operation, key in (("describe_images", "imageDetails"), ("list_images", "imageIds")):
        pages = repository.ecr.get_paginator(operation).paginate(
            repositoryName=repository.name, PaginationConfig={"PageSize": 4}
        )
        sizes = [[found["imageDigest"] for found in page[key]] for page in pages]
        assert [len(page) for page in sizes] == [4, 2]
        assert {*sizes[0], *sizes[1]} == {*tagged, untagged}


def test_named_images(repository: Repository) -> None:
    one, two = digest_of(repository.push("v1", b"1")), digest_of(repository.push("v2", b"2"))
    found = repository.details(imageIds=[{"imageTag": "v2"}, {"imageDigest": one}, {"imageDigest": two}])
    assert [detail["imageDigest"] for detail in found] == [two, one]
    params = {"repositoryName": repository.name, "imageIds": [{"imageTag": "v3"}]}
    assert refused(repository.ecr.describe_images, **params) == (
        "ImageNotFoundException",
        "The image with imageId {imageDigest:'null', imageTag:'v3'} does not exist within the repository "
        f"with name '{repository.name}' in the registry with id '{ACCOUNT}'",
    )


def test_batch_get(repository: Repository) -> None:
    manifest = repository.push("v1")
    digest = digest_of(manifest)
    wanted = [
        {"imageTag": "v1"},
        {"imageDigest": digest},
        {"imageTag": "v2"},
        {"imageDigest": "sha256:short"},
        {},
        {"imageTag": "v1", "imageDigest": digest_of(b"other")},
    ]
    answer = repository.ecr.batch_get_image(repositoryName=repository.name, imageIds=wanted)
    assert [found["imageManifest"].encode() for found in answer["images"]] == [manifest, manifest]
    assert answer["images"][0]["imageId"] == {"imageDigest": digest, "imageTag": "v1"}
    assert answer["images"][1]["imageId"] == {"imageDigest": digest}
    assert [failure["failureCode"] for failure in answer["failures"]] == [
        "ImageNotFound",
        "InvalidImageDigest",
        "MissingDigestAndTag",
        "ImageTagDoesNotMatchDigest",
    ]


def test_batch_delete(repository: Repository) -> None:
    one = repository.push("v1", b"1")
    repository.put(one, "also-v1")
    two = repository.push("v2", b"2")
    delete = repository.ecr.batch_delete_image
    answer = delete(repositoryName=repository.name, imageIds=[{"imageTag": "v1"}, {"imageTag": "v9"}])
    assert answer["imageIds"] == [{"imageDigest": digest_of(one), "imageTag": "v1"}]
    assert answer["failures"] == [
        {
            "imageId": {"imageTag": "v9"},
            "failureCode": "ImageNotFound",
            "failureReason": "Requested image not found",
        }
    ]
    assert len(repository.details()) == 2
    delete(repositoryName=repository.name, imageIds=[{"imageTag": "also-v1"}])  # its last tag: the image goes
    assert [found["imageDigest"] for found in repository.details()] == [digest_of(two)]
    repository.put(two, "x")
    answer = delete(repositoryName=repository.name, imageIds=[{"imageDigest": digest_of(two)}])
    assert [found["imageTag"] for found in answer["imageIds"]] == ["v2", "x"]
    assert repository.http("GET", f"/v2/{repository.name}/manifests/x").status == 404
    assert repository.ids() == []


def test_an_index_holds_its_images(repository: Repository) -> None:
    child = repository.push(None, b"child")
    parent = index([child])
    assert repository.put(parent, "all").status == 201
    (detail,) = repository.details(imageIds=[{"imageTag": "all"}])
    assert detail["imageSizeInBytes"] == len(b"child")  # its largest image's
    delete = repository.ecr.batch_delete_image
    (failure,) = delete(repositoryName=repository.name, imageIds=[{"imageDigest": digest_of(child)}])["failures"]
    assert failure["failureCode"] == "ImageReferencedByManifestList"
    assert repository.http("DELETE", f"/v2/{repository.name}/manifests/{digest_of(child)}").status == 405
    both = [{"imageDigest": digest_of(child)}, {"imageTag": "all"}]
    assert delete(repositoryName=repository.name, imageIds=both)["failures"] == []


def test_immutable_tags(shared: Platform, name: str) -> None:
    repository = Repository(shared, name, imageTagMutability="IMMUTABLE")
    first = repository.push("v1", b"1")
    message = (
        f"The image tag 'v1' already exists in the '{name}' repository and cannot be overwritten "
        "because the repository is immutable."
    )
    repository.http.push(name, b"2")
    answer = repository.put(image(b"2"), "v1")
    assert (answer.status, answer.json()["errors"][0]) == (400, {"code": "TAG_INVALID", "message": message})
    params = {"repositoryName": name, "imageManifest": image(b"2").decode(), "imageTag": "v1"}
    assert refused(repository.ecr.put_image, **params) == ("ImageTagAlreadyExistsException", message)
    assert repository.ids() == [{"imageDigest": digest_of(first), "imageTag": "v1"}]  # nothing was half done
    assert repository.put(first, "v1").status == 201
    repository.ecr.put_image_tag_mutability(
        repositoryName=name,
        imageTagMutability="IMMUTABLE_WITH_EXCLUSION",
        imageTagMutabilityExclusionFilters=[{"filterType": "WILDCARD", "filter": "v*"}],
    )
    assert repository.put(image(b"2"), "v1").status == 201


def test_put_image(repository: Repository) -> None:
    name, put = repository.name, repository.ecr.put_image
    first = repository.push("v1")
    text = first.decode()
    answer = put(repositoryName=name, imageManifest=text, imageTag="v2")["image"]
    assert answer["imageId"] == {"imageDigest": digest_of(first), "imageTag": "v2"}
    assert refused(put, repositoryName=name, imageManifest=text, imageTag="v2")[0] == "ImageAlreadyExistsException"
    assert refused(put, repositoryName=name, imageManifest=text)[0] == "ImageAlreadyExistsException"
    assert repository.http("GET", f"/v2/{name}/manifests/v2").data == first
    missing = image(b"{}", b"nowhere").decode()
    assert refused(put, repositoryName=name, imageManifest=missing, imageTag="v3")[0] == "LayersNotFoundException"
    lost = index([b"nowhere"]).decode()
    assert refused(put, repositoryName=name, imageManifest=lost)[0] == "ReferencedImagesNotFoundException"
    assert refused(put, repositoryName=name, imageManifest="{", imageTag="v3")[0] == "InvalidParameterException"
    wrong = {"imageManifest": text, "imageTag": "v4", "imageDigest": digest_of(b"")}
    assert refused(put, repositoryName=name, **wrong)[0] == "ImageDigestDoesNotMatchException"
    assert refused(put, repositoryName=name, imageManifest=text, imageTag="-")[0] == "InvalidParameterException"


def test_layers_by_the_api(repository: Repository, shared: Platform) -> None:
    ecr, name = repository.ecr, repository.name
    layer = bytes(range(256)) * 4096  # 1 MiB
    digest = digest_of(layer)
    started = ecr.initiate_layer_upload(repositoryName=name)
    upload, half = started["uploadId"], len(layer) // 2
    assert started["partSize"] == 20 * 1024 * 1024

    def part(first: int, data: bytes) -> Any:
        return ecr.upload_layer_part(
            repositoryName=name,
            uploadId=upload,
            partFirstByte=first,
            partLastByte=first + len(data) - 1,
            layerPartBlob=data,
        )

    def complete(of: str = digest, **params: Any) -> Any:
        return ecr.complete_layer_upload(**{"repositoryName": name, "uploadId": upload, "layerDigests": [of], **params})

    assert refused(complete)[0] == "EmptyUploadException"
    assert part(0, layer[:half])["lastByteReceived"] == half - 1
    with pytest.raises(ecr.exceptions.InvalidLayerPartException) as error:
        part(half + 1, b"x")
    assert error.value.response["lastValidByteReceived"] == half - 1
    assert part(half, layer[half:])["lastByteReceived"] == len(layer) - 1
    (unavailable,) = ecr.batch_check_layer_availability(repositoryName=name, layerDigests=[digest])["layers"]
    assert unavailable["layerAvailability"] == "UNAVAILABLE"
    assert complete()["layerDigest"] == digest
    answer = ecr.batch_check_layer_availability(repositoryName=name, layerDigests=[digest, "sha256:ab"])
    assert answer["layers"][0]["layerAvailability"] == "AVAILABLE"
    assert answer["layers"][0]["layerSize"] == len(layer)
    assert answer["failures"][0]["failureCode"] == "InvalidLayerDigest"
    assert refused(complete)[0] == "UploadNotFoundException"

    url = ecr.get_download_url_for_layer(repositoryName=name, layerDigest=digest)["downloadUrl"]
    with urllib.request.urlopen(url) as response:  # no login: the link is the permission
        assert response.read() == layer
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(url.replace("ticket=", "ticket=x"))
    lost = {"repositoryName": name, "layerDigest": digest_of(b"")}
    assert refused(ecr.get_download_url_for_layer, **lost)[0] == "LayersNotFoundException"


def test_wrong_layer_digest(repository: Repository) -> None:
    ecr, name = repository.ecr, repository.name
    upload = ecr.initiate_layer_upload(repositoryName=name)["uploadId"]
    ecr.upload_layer_part(repositoryName=name, uploadId=upload, partFirstByte=0, partLastByte=2, layerPartBlob=b"abc")
    params = {"repositoryName": name, "uploadId": upload, "layerDigests": [digest_of(b"x")]}
    assert refused(ecr.complete_layer_upload, **params)[0] == "InvalidLayerException"


def test_a_repository_with_images_is_kept_unless_forced(repository: Repository) -> None:
    repository.push("v1", b"1", b"layer")
    assert refused(repository.ecr.delete_repository, repositoryName=repository.name) == (
        "RepositoryNotEmptyException",
        f"The repository with name '{repository.name}' in registry with id '{ACCOUNT}' cannot be deleted "
        "because it still contains images",
    )
    repository.ecr.delete_repository(repositoryName=repository.name, force=True)
    answer = repository.http("GET", f"/v2/{repository.name}/manifests/v1")
    assert (answer.status, answer.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")
    repository.ecr.create_repository(repositoryName=repository.name)
    assert repository.ids() == []
    assert repository.http("HEAD", f"/v2/{repository.name}/blobs/{digest_of(b'layer')}").status == 404


def test_a_chunked_body_of_no_declared_length(repository: Repository) -> None:
    """As `docker push` sends its layers."""
    data = bytes(range(256)) * 8000
    location = repository.http("POST", f"/v2/{repository.name}/blobs/uploads/").headers["location"]
    wire = http.client.HTTPConnection(repository.http.host)
    pieces = (data[start : start + 50_000] for start in range(0, len(data), 50_000))
    headers = {**repository.http.headers, "transfer-encoding": "chunked"}
    wire.request("PATCH", location, body=pieces, headers=headers, encode_chunked=True)
    assert wire.getresponse().headers["range"] == f"0-{len(data) - 1}"
    assert repository.http("PUT", f"{location}?digest={digest_of(data)}").status == 201
    assert repository.http("GET", f"/v2/{repository.name}/blobs/{digest_of(data)}").data == data


def test_a_large_push_without_a_login_is_refused_at_once(repository: Repository) -> None:
    wire = http.client.HTTPConnection(repository.http.host)
    wire.putrequest("PUT", f"/v2/{repository.name}/blobs/uploads/x?digest={digest_of(b'')}")
    wire.putheader("content-length", str(10**9))
    wire.putheader("expect", "100-continue")
    wire.endheaders()
    answer = wire.getresponse()
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic realm=")


def test_referrers(repository: Repository) -> None:
    subject = repository.push("v1")
    named = {"mediaType": OCI, "digest": digest_of(subject), "size": len(subject)}
    signature = repository.push(None, b"sig", subject=named, artifactType="text/signature")
    found = repository.http("GET", f"/v2/{repository.name}/referrers/{digest_of(subject)}").json()["manifests"]
    assert [(one["digest"], one["artifactType"]) for one in found] == [(digest_of(signature), "text/signature")]
    listed = repository.ecr.list_image_referrers
    params = {"repositoryName": repository.name, "subjectId": {"imageDigest": digest_of(subject)}}
    (one,) = listed(**params)["referrers"]
    assert (one["digest"], one["artifactType"]) == (digest_of(signature), "text/signature")
    assert listed(**params, filter={"artifactTypes": ["other"]})["referrers"] == []
    details = {detail["imageDigest"]: detail for detail in repository.details()}
    assert details[digest_of(signature)]["subjectManifestDigest"] == digest_of(subject)
    assert details[digest_of(signature)]["artifactMediaType"] == "text/signature"


def test_tag_pages(repository: Repository) -> None:
    manifest = repository.push("t0")
    for number in range(1, 5):
        repository.put(manifest, f"t{number}")
    answer = repository.http("GET", f"/v2/{repository.name}/tags/list?n=3")
    assert answer.json() == {"name": repository.name, "tags": ["t0", "t1", "t2"]}
    following = answer.headers["link"].partition(">")[0].removeprefix("<")
    assert json.loads(repository.http("GET", following).data)["tags"] == ["t3", "t4"]
