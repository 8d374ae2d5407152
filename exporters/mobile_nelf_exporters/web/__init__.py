"""Target `web`: a page that computes the light field by itself."""
