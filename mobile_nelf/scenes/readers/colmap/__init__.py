"""COLMAP scenes: binary and text models, and the reader that finds them and their photos."""
