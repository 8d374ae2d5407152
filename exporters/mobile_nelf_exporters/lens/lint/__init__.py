"""What is wrong with a Lens Studio project, found without running it."""
