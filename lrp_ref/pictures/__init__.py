"""Photographs in; panels, figures and colours out: knows no model and no relevance."""
