#!/usr/bin/env python
"""The same as ``densezoo site``."""

import sys

from densezoo.commands.site import main

if __name__ == "__main__":
    sys.exit(main())
