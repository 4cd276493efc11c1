"""PyTorch: torch.save, TorchScript, torch.export."""
