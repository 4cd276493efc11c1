"""Checkpoint files into tensors under the file's own names, without running code from them."""
