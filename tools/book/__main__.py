"""``python -m tools.book``."""

import sys

from tools.book.cli import main

if __name__ == "__main__":
    sys.exit(main())
