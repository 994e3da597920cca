"""A call as an event. Pure."""
