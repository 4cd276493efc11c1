#!/usr/bin/env python
"""The same as ``densezoo show``."""

import sys

from densezoo.commands.show import main

if __name__ == "__main__":
    sys.exit(main())
