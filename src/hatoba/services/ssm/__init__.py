"""The `ssm` room: Parameter Store, from which containers are configured, and sessions inside them.

model       what is stored: parameters, and each of their versions
plan/       names and selectors, what a value may be, filters, policies, the public parameters; pure
views       records → the model's shapes
envelope    how a SecureString is kept: encrypted by KMS, asked through the front door
session/    sessions: programs in containers, over data channels
api/        the operations
controller  carries out parameters' policies
"""
