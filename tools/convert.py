#!/usr/bin/env python
"""The same as ``densezoo convert``."""

import sys

from densezoo.commands.convert import main

if __name__ == "__main__":
    sys.exit(main())
