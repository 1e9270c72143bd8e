"""Safe reading and writing: atomic writes, sealed tensors, locks, strict JSON and YAML, CSV."""
