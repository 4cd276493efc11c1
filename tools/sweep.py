#!/usr/bin/env python
"""The same as ``densezoo sweep``."""

import sys

from densezoo.commands.sweep import main

if __name__ == "__main__":
    sys.exit(main())
