#!/usr/bin/env python
"""The same as ``densezoo train``."""

import sys

from densezoo.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
