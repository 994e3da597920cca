"""Pure decisions: what of a batch is taken, where a reading goes on, and whether a message matches a pattern."""
