"""A study's folder on disk: who takes part, what they are shown, what they answer, and whom to pay."""
