"""Narrower students in closed form: what each channel is worth, which go, and the re-fit.

Training uses it for students that are pruned while they train, compression for trained ones.
"""
