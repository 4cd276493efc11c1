"""Everything that only one family of networks knows: one folder a family."""
