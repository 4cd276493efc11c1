#!/usr/bin/env python
"""The same as ``densezoo analyze``."""

import sys

from densezoo.commands.analyze import main

if __name__ == "__main__":
    sys.exit(main())
