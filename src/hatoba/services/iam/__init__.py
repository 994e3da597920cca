"""The `iam` room: users, access keys, roles and policies. See README.md."""
