"""The pages on which people answer, and the researcher's page: Starlette, Jinja2, and JavaScript and CSS of its own."""

from hml.elicit.web.app import create_app

__all__ = ["create_app"]
