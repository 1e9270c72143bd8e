"""What people perceive in mixed images: statistics of their judgements, figures, and a page that shows them."""
