#!/usr/bin/env python
"""The same as ``densezoo publish``."""

import sys

from densezoo.commands.publish import main

if __name__ == "__main__":
    sys.exit(main())
