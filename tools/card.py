#!/usr/bin/env python
"""The same as ``densezoo card``."""

import sys

from densezoo.commands.card import main

if __name__ == "__main__":
    sys.exit(main())
