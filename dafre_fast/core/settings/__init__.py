"""Settings by concern: every flag, its default, its bounds and its help text."""
