#!/usr/bin/env python
"""The same as ``densezoo benchmark``."""

import sys

from densezoo.commands.benchmark import main

if __name__ == "__main__":
    sys.exit(main())
