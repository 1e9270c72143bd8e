"""The participants' pages and the researcher's page, made with Starlette, Jinja2 and plain JavaScript and CSS."""
