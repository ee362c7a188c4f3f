"""A stand-in where torchvision does not import: only the names that zennit looks up when it is imported."""
