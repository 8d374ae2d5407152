"""A target of a third party: what it takes to add one without touching the SDK."""
