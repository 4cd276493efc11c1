"""Times networks side by side in processes of their own: inference, whole evaluations, training steps, loading."""
