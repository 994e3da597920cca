"""The handlers of the distribution API: one file per noun, one function per verb."""
