#!/usr/bin/env python
"""The same as ``densezoo show_protocol``."""

import sys

from densezoo.commands.show_protocol import main

if __name__ == "__main__":
    sys.exit(main())
