#!/usr/bin/env python
"""The same as ``densezoo features``."""

import sys

from densezoo.commands.features import main

if __name__ == "__main__":
    sys.exit(main())
