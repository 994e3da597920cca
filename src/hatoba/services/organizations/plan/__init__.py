"""What is decided in values: which documents control policies can have, and which of them AWS brings along."""
