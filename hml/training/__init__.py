"""Runs: command line, recipe, record, checkpoints and the LightningModule that trains."""
