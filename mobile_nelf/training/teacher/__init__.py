"""Training of a teacher."""
