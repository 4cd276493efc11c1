"""``python -m densezoo COMMAND ...`` is ``densezoo COMMAND ...``."""

import sys

from densezoo.commands.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
