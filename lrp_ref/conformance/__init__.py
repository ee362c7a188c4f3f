"""What other implementations of LRP compute, and how to tell."""
