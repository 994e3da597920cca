"""ECR's decisions, in values: may a tag move, is a text a policy, which images have had their time, what was a push."""
