#!/usr/bin/env python
"""The same as ``densezoo explain``."""

import sys

from densezoo.commands.explain import main

if __name__ == "__main__":
    sys.exit(main())
