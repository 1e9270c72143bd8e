"""Safe reading and writing: atomic writes, tensors with checksums, locks, strict JSON and YAML, CSV."""
