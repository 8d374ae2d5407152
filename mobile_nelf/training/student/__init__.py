"""Training of a student."""
