#!/usr/bin/env python
"""The same as ``densezoo make_tables``."""

import sys

from densezoo.commands.make_tables import main

if __name__ == "__main__":
    sys.exit(main())
