"""Studies: many runs of `hml fit`, and their results as one table."""
