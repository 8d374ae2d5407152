"""Target lens: a Lens Studio project."""
