"""Asking people: a browser task whose answers become judgements that train the next model."""
