"""Shared by the command lines of all verbs: flags, and configs found by name or path."""
