"""What came of a run, as facts for JSON and as text."""
