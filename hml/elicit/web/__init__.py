"""The pages on which people answer, and the researcher's page: Starlette, Jinja2, and JavaScript and CSS of its own."""
