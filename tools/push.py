#!/usr/bin/env python
"""The same as ``densezoo push``."""

import sys

from densezoo.commands.push import main

if __name__ == "__main__":
    sys.exit(main())
