"""What several rooms need: leaves, which import nothing of ours but each other."""
