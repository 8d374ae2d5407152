"""COLMAP scenes: the reader, and a check of binary models before pycolmap reads them."""
