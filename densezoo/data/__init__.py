"""From files to pixels: named protocols (plain data), what they do to an image, and the datasets."""
