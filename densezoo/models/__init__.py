"""The network: its layers as a list (topology, no torch) and as a module (densenet)."""
