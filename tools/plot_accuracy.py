#!/usr/bin/env python
"""The same as ``densezoo plot_accuracy``."""

import sys

from densezoo.commands.plot_accuracy import main

if __name__ == "__main__":
    sys.exit(main())
