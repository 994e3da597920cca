"""Fetches images from registries, as the OCI distribution and image specifications describe them.

    http       one request over a connection of its own, its body streamed
    challenge  what a 401 asks for (pure)
    manifest   indexes, manifests, image configs, chain ids (pure)
    client     a repository: manifest and blobs, with its credentials

Knows no containerd: what it fetches is handed on in chunks.
"""
