"""What STS decides, pure: who may assume a role (`trust`), what limits a session (`limits`), tokens (`jwt`)."""
