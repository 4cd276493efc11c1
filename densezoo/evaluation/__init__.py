"""Logits into integer counts, and counts into a result."""
