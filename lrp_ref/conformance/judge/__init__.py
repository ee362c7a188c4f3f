"""One case and one implementation: what its answer is worth."""
