"""Readers of the checkpoints of MobileR2L and R2L."""
