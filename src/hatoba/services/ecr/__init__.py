"""ECR: repositories, images and tags, and the token that opens the registry.

model         what is stored: repositories, images, tags, layers
naming        `repositoryUri`, and which repository a client means by a host and a path
plan/         may a tag move, is a text a policy, which images have had their time
views         records → the model's shapes
api/          the operations
lifecycle     the controller that removes those
tokens        authorization tokens and download tickets, sealed
distribution  the registry engine's view of the records: `docker push` and PutImage write the same
registry      all that the operations work with beside the store; made once by the composition root
"""
