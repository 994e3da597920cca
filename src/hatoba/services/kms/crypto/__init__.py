"""KMS's cryptography, behind plain functions of bytes: nothing here knows records, stores or requests."""
