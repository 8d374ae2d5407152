"""Compression of trained students: less to store and less to compute, for the same picture.

Everything is measured against the uncompressed student, so that neither photos nor a teacher are
needed. The method and why it is this one: docs/decisions.md.
"""
