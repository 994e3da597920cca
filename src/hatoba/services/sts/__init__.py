"""The `sts` room: who am I, and temporary credentials. See README.md."""
