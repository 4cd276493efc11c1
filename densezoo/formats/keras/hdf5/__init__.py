"""HDF5 as far as weights need it."""
