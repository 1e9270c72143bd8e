"""What people perceive in mixed images: statistics of their judgements, figures, and a page that shows them.

Throughout, `table` is what `hml.judgements.tables.judgement_table` made, and `bootstrap` resamples its people. Tables
of estimates have the columns value, low, high, n and people of `hml.statistics.bootstrap.Estimate`.
"""
