"""Files of Lens Studio: their YAML, and projects made of them."""
