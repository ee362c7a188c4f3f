"""The layers of Fisher-vector pipelines and kernel machines: skip them on first reading."""
