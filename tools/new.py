#!/usr/bin/env python
"""The same as ``densezoo new``."""

import sys

from densezoo.commands.new import main

if __name__ == "__main__":
    sys.exit(main())
