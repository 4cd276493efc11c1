#!/usr/bin/env python
"""The same as ``densezoo list_models``."""

import sys

from densezoo.commands.list_models import main

if __name__ == "__main__":
    sys.exit(main())
