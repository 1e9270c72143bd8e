"""A study's folder on disk: participants, trials, answers and the list of payments."""
