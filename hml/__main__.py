"""`python -m hml` is `hml`."""

import sys

from hml.cli import main

if __name__ == "__main__":
    sys.exit(main())
