"""Estimates with intervals, weighted statistics and paired tests."""
