"""Where searches start, and how several of them race."""
