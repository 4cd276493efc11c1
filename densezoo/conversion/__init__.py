"""A `Checkpoint` of any source -> the canonical state_dict of its family, whole or not at all."""
