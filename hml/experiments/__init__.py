"""Studies: many runs through `hml fit`'s path, and what they say together."""
