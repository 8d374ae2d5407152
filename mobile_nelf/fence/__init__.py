"""Child processes in which foreign scripts and models run, and what is said to them."""
