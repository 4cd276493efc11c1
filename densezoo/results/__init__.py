"""Measurements as JSON files, and the tables made from them."""
