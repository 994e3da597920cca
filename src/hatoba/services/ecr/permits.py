"""What clients of the distribution API may do, and that it is known they did: as of ECR's operations that do the same.

`docker pull` is BatchGetImage for manifests, BatchCheckLayerAvailability and GetDownloadUrlForLayer for layers; a push
is InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload and PutImage; each on the repository, by the policies of
whoever got the token and the repository's own. Source: the user guide, "IAM permissions for pushing an image",
"Private repository policy examples", "Logging Amazon ECR actions with AWS CloudTrail".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hatoba.core.errors import AwsError
from hatoba.core.keys import Scope
from hatoba.gateway.audit import Witness
from hatoba.gateway.call import Call, Platform, Principal
from hatoba.gateway.way import Way
from hatoba.registry.ports import Action, Errand, Guest, Noting
from hatoba.registry.problems import Problem
from hatoba.services.ecr.access import ACCESS
from hatoba.services.ecr.model import repositories
from hatoba.services.ecr.plan import traffic
from hatoba.services.ecr.tokens import Ticket

# All are needed; what was done is told as the last.
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
    "upload status": ("UploadLayerPart",),
    "cancel upload": ("UploadLayerPart",),
    "finish upload": ("UploadLayerPart", "CompleteLayerUpload"),  # the last part may come along
    "manifest": ("BatchGetImage",),
    "put manifest": ("PutImage",),
    "delete manifest": ("BatchDeleteImage",),
}


class Permit:
    """Who may do what they have come for: implements the engine's `Entry`, and tells the audit how it went."""

    __slots__ = ("_action", "_asked", "_witness", "repository")

    def __init__(self, action: Action, witness: Witness | None, asked: Mapping[str, Any]) -> None:
        """`witness`: None where nobody has to be told; `asked`: the operation's parameters."""
        self.repository = ""
        self._action = action
        self._witness = witness
        self._asked = asked

    @property
    def noting(self) -> Noting | None:
        return self._witness.call.closing if self._witness is not None else None

    def left(self, headers: Mapping[str, str] | None, problem: Problem | None) -> None:
        witness = self._witness
        if witness is None or not traffic.happened(self._action, headers):
            return
        error = None if problem is None else traffic.error(self._action, problem.code, problem.message)
        answer: dict[str, Any] | None = None
        if headers is not None:
            answer = traffic.answer(witness.call.operation, self._asked, headers)
        elif problem is not None and error is None:
            answer = {}
        witness.ended(answer, error)


class Permits:
    def __init__(self, platform: Platform, *, judged: bool) -> None:
        """`judged`: whether it matters who asks."""
        self._platform = platform
        self._judged = judged

    def admit(self, guest: Guest, errand: Errand, scope: Scope, name: str) -> Permit:
        """Raises DENIED, in the words of the operation's refusal. What is not there is asked for as well, so that a
        stranger does not learn of it."""
        asking = guest.principal
        if isinstance(asking, Ticket):  # who was given the link, and when, has been told
            return Permit(errand.action, None, {})
        assert isinstance(asking, Principal)
        for operation in OPERATIONS[errand.action]:
            asked = traffic.parameters(operation, errand, scope.account, name)
            witness = self._platform.witness(self._call(asking, guest, operation, asked, scope), asked)
            if self._judged:
                self._judge(witness, scope, name)
        return Permit(errand.action, witness, asked)

    def _call(self, who: Principal, guest: Guest, operation: str, asked: Mapping[str, Any], scope: Scope) -> Call:
        call = Call(
            self._platform,
            scope=scope._replace(account=who.account),
            service="ecr",
            operation=operation,
            principal=who,
            request_id=self._platform.ids.uuid(),
            source_ip=guest.address,
            user_agent=guest.agent,
            secure=guest.secure,
            way=guest.way if isinstance(guest.way, Way) else None,
        )
        call.needs = tuple(ACCESS.needs(operation, asked, call))
        return call

    def _judge(self, witness: Witness, scope: Scope, name: str) -> None:
        """Raises DENIED, and tells that, too."""
        call = witness.call
        try:
            if call.scope.account != scope.account and not self._shared(scope, name):
                need, why = call.needs[0], f"because no resource-based policy allows the {call.needs[0].action} action"
                said = f"User: {call.principal.arn} is not authorized to perform: {need.action} on resource: "
                raise AwsError(f"{said}{need.resource} {why}", code="AccessDeniedException")
            call.demand(*call.needs)
        except AwsError as error:
            witness.ended(None, error)
            raise Problem("DENIED", error.message) from error

    def _shared(self, scope: Scope, name: str) -> bool:
        """Whether the repository has a policy: without one, other accounts have no business there."""
        record = self._platform.store.find(repositories, scope, name)
        return record is not None and record.policy is not None
