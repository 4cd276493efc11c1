"""uint8 images into logits, under a protocol's normalisation."""
