"""The `secretsmanager` room: secrets with versions and stages, rotated, replicated, deleted with time to repent.

model       what is stored: secrets, and each of their versions
plan/       names and ARNs, how stages move, passwords, filters, rotation schedules, resource policies; pure
views       records → the model's shapes
envelope    how a value is kept: under a data key of KMS's, asked through the front door
writing     a new version, by whichever operation
api/        the operations
controller/ what happens by itself: deletion when its time has come, replicas kept in step, rotation
"""
