#!/usr/bin/env python
"""The same as ``densezoo fetch_weights``."""

import sys

from densezoo.commands.fetch_weights import main

if __name__ == "__main__":
    sys.exit(main())
