"""Bootstrap intervals, weighted statistics and paired tests."""
