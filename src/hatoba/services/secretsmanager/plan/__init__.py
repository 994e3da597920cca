"""Secrets Manager's decisions, in values: no store, no clock, no chance."""
