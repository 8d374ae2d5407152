"""Core ML packages and apps for tests."""
