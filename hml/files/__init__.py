"""Files that are never half there, and readers that trust nothing: atomic writes, seals, locks, JSON, YAML, CSV."""
