"""Run ``python -m skbadr --help`` for the options."""

import sys

from skbadr.cli import main

if __name__ == "__main__":
    sys.exit(main())
