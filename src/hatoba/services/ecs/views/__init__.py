"""Records → the model's shapes. Pure; a member that has no value is absent, as it is in AWS's answers."""
