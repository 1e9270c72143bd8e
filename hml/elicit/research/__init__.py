"""What researchers get from a study: an overview, and an export of its answers."""
