"""A run's network for other people: a folder with weights, program and model card, written and loaded."""
