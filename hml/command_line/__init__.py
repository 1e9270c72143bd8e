"""What the command lines of all verbs share: flags, and configs found by name or path."""
