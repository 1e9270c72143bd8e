"""The page's sections: each takes measurements, and gives prose, claims and figures."""
