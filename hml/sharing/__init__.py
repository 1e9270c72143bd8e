"""Exports a run's network to a folder with weights, program and model card, and loads it."""
