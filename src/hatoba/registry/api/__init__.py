"""The handlers of the distribution API: one file per noun, one function per verb.

blobs      through a repository that has them         manifests  by tag or by digest
uploads    a blob comes in, at once or in chunks      listings   repositories, tags, referrers
visit      one request to a repository: what it may do there
"""
