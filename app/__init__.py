"""Floor 4: the window. The only room that imports Qt."""
