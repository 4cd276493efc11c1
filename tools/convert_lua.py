#!/usr/bin/env python
"""The same as ``densezoo convert_lua``."""

import sys

from densezoo.commands.convert_lua import main

if __name__ == "__main__":
    sys.exit(main())
