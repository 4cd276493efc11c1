"""Metafiles into `ModelSpec`s; needs no torch."""
