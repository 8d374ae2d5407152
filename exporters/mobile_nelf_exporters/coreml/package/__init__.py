"""Core ML packages, read without coremltools."""
