"""What a training loop uses beside its optimizer and a schedule."""
