#!/usr/bin/env python
"""The same as ``densezoo plot_feature_reuse``."""

import sys

from densezoo.commands.plot_feature_reuse import main

if __name__ == "__main__":
    sys.exit(main())
