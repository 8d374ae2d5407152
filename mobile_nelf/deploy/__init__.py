"""Deployment: from a trained student to what an artefact has to compute."""
