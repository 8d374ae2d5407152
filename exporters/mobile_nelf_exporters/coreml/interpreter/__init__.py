"""Runs the program of a Core ML package, without coremltools."""
