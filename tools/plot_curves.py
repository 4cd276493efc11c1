#!/usr/bin/env python
"""The same as ``densezoo plot_curves``."""

import sys

from densezoo.commands.plot_curves import main

if __name__ == "__main__":
    sys.exit(main())
