"""Teachers: radiance fields that render the views a student learns from."""
