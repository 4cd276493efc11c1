"""Training by mmengine's Runner."""
