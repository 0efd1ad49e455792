"""Floor 1: what a body is: layouts, frames, windows, recordings. numpy and file-format libraries only."""
