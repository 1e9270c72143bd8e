"""What pages and tables share: sections, figures' style, and the HTML page."""
