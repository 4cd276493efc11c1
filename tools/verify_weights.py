#!/usr/bin/env python
"""The same as ``densezoo verify_weights``."""

import sys

from densezoo.commands.verify_weights import main

if __name__ == "__main__":
    sys.exit(main())
