"""Runs the scripts and models of a Lens Studio project in Node.js."""
