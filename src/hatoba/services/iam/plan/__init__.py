"""What IAM decides, pure: codes of second factors (`totp`)."""
