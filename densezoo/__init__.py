"""densezoo: every published DenseNet found, converted, measured and compared. Importing it imports no torch."""

from densezoo.api import *  # noqa: F403  api's __all__ is the public interface
from densezoo.api import __all__ as __all__

__version__ = "0.1.0"
