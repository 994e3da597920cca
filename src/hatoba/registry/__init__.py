"""The OCI registry engine: the distribution API, a content-addressed blob store, garbage collection.

    names, routes, ranges, manifests   pure: what a digest, a path, a range, a manifest says
    messages, problems                 what comes in, what goes out, what may be wrong
    disk, blobs, uploads               bytes on disk: verified, synced, renamed into place
    ports, memory                      who knows the repositories: a room, or the twin in memory
    api/, engine, access               the handlers, the way to them, and who may go it
    mount                              the engine upon the gateway's HTTP server
    collection                         removes what no repository holds

Knows no AWS and no HTTP framework: `Engine.handle(Request) -> Response` is all that the gateway mounts at /v2/.
"""
