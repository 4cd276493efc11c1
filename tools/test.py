#!/usr/bin/env python
"""The same as ``densezoo test``."""

import sys

from densezoo.commands.test import main

if __name__ == "__main__":
    sys.exit(main())
