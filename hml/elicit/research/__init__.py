"""What researchers take out of a study: how it stands, and its answers as a file."""
