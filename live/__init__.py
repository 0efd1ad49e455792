"""Floor 3: the moving pipeline, from a source of body frames to decisions. No Qt, no torch."""
