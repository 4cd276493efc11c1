"""Torch7's serialisation and its modules."""
