"""S3: buckets and objects.

model     what is stored: buckets, objects, uploads
history   how the versions of a key follow each other
plan/     names, ranges, conditions, listings: pure
views     records → the model's shapes
locks     KMS's keys over the objects' own
bodies    the engine that keeps objects' bytes, and which of them records want
access    what each operation needs to be allowed
api/      the operations
"""
