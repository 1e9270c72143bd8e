"""The page's sections: each turns measurements into prose, claims and figures."""
