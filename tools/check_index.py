#!/usr/bin/env python
"""The same as ``densezoo check_index``."""

import sys

from densezoo.commands.check_index import main

if __name__ == "__main__":
    sys.exit(main())
