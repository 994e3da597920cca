"""Who may do what: implements `gateway.access.Authorizer` with the policy engine.

standing   a principal's policies, compiled, and current without being looked through
facts      condition keys of a request, each computed when a policy asks for it
decide     the decisions, and the refusals in AWS's words
"""

from hatoba.services.iam.authorizer.decide import PolicyAuthorizer

__all__ = ["PolicyAuthorizer"]
