"""Where training views come from, and how they reach the student."""
