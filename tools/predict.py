#!/usr/bin/env python
"""The same as ``densezoo predict``."""

import sys

from densezoo.commands.predict import main

if __name__ == "__main__":
    sys.exit(main())
