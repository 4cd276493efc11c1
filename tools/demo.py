#!/usr/bin/env python
"""The same as ``densezoo demo``."""

import sys

from densezoo.commands.demo import main

if __name__ == "__main__":
    sys.exit(main())
