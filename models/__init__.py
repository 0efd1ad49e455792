"""Floor 2: the networks (torch) and the exported files. ``models.card`` needs neither torch nor onnx."""
