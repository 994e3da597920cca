"""The `kms` room: keys that never leave it, and what is done with them.

model       what is stored: keys with all of their material, aliases, grants
plan/       which algorithms a key has, what a text names, what a key's state allows; pure
crypto/     the cryptography: the envelope of ciphertexts, key pairs, MACs, wrapped imports
views       records → the model's shapes
managed     the keys of AWS services (`alias/aws/ssm`), made when they are first used
api/        the operations
controller  what time does to keys: deletion, rotation, expiry of imported material
"""
