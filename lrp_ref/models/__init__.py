"""A model: network, preprocessing and class names; its file formats, and the models that come along."""
