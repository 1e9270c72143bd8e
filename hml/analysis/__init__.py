"""What people perceive in mixed images: statistics of their judgements, figures, and a page that shows them.

Throughout, `table` is what `hml.judgements.tables.judgement_table` made, and `jackknife` is the
`hml.statistics.jackknife.Jackknife` of its people and images. Tables of estimates have the columns of
`hml.statistics.estimates.Estimate`.
"""
