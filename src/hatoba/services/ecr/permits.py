"""What clients of the distribution API may do: as much as of ECR's operations that do the same.

`docker pull` is BatchGetImage for manifests, BatchCheckLayerAvailability and GetDownloadUrlForLayer for layers; a push
is InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload and PutImage; each on the repository, by the policies of
whoever got the token and the repository's own. Source: the user guide, "IAM permissions for pushing an image",
"Private repository policy examples".
"""

from __future__ import annotations

from collections.abc import Mapping

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.call import Call, Platform, Principal
from hatoba.registry import ports
from hatoba.registry.ports import Action
from hatoba.registry.problems import Problem
from hatoba.services.ecr.access import ACCESS
from hatoba.services.ecr.model import repositories
from hatoba.services.ecr.tokens import Ticket

OPERATIONS: Mapping[Action, tuple[str, ...]] = {
    "catalog": ("DescribeRepositories",),
    "tags": ("ListImages",),
    "referrers": ("ListImageReferrers",),
    "blob": ("GetDownloadUrlForLayer",),
    "has blob": ("BatchCheckLayerAvailability",),
    "mount": ("BatchCheckLayerAvailability", "GetDownloadUrlForLayer"),
    "delete blob": ("BatchDeleteImage",),
    "begin upload": ("InitiateLayerUpload",),
    "upload": ("UploadLayerPart",),
    "finish upload": ("UploadLayerPart", "CompleteLayerUpload"),  # the last part may come along
    "manifest": ("BatchGetImage",),
    "put manifest": ("PutImage",),
    "delete manifest": ("BatchDeleteImage",),
}


class Permits:
    def __init__(self, platform: Platform, *, judged: bool) -> None:
        """`judged`: whether it matters who asks."""
        self._platform = platform
        self._judged = judged

    def check(self, asking: ports.Principal, scope: Scope, name: str, action: Action) -> None:
        """Raises DENIED, in the words of the operation's refusal. What is not there is asked for as well, so that a
        stranger does not learn of it."""
        if not self._judged or isinstance(asking, Ticket):
            return
        assert isinstance(asking, Principal)
        for operation in OPERATIONS[action]:
            self._ask(asking, scope, name, operation)

    def _ask(self, principal: Principal, scope: Scope, name: str, operation: str) -> None:
        call = Call(
            self._platform,
            scope=scope._replace(account=principal.account),
            service="ecr",
            operation=operation,
            principal=principal,
            request_id=self._platform.ids.uuid(),
        )
        needs = list(ACCESS.needs(operation, {"repositoryName": name, "registryId": scope.account}, call))
        if principal.account != scope.account and not self._shared(scope, name):
            action, resource = needs[0].action, needs[0].resource
            raise Problem(
                "DENIED",
                f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource} "
                f"because no resource-based policy allows the {action} action",
            )
        try:
            call.demand(*needs)
        except AwsError as error:
            raise Problem("DENIED", error.message) from error

    def _shared(self, scope: Scope, name: str) -> bool:
        """Whether the repository has a policy: without one, other accounts have no business there."""
        record = self._platform.store.find(repositories, scope, name)
        return record is not None and record.policy is not None
