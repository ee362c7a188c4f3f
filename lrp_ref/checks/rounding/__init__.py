"""How far floats may be from the exact relevance: derived bounds, and Monte-Carlo arithmetic."""
