"""What several systems' files are made of: zip, protobuf, pickle, npz, JSON."""
