"""What a JSON text holds, before a reader has looked at it."""

from __future__ import annotations

from typing import Any

#: An object of a JSON text, whose values are of any type until a reader has looked.
JsonObject = dict[str, Any]
