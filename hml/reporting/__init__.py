"""Shared by pages and tables: sections, the style of figures, and the HTML page."""
