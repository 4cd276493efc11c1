"""Any source's tensor names and layouts into the canonical state_dict, by tables."""
