"""Files that appear when they are whole: written beside their place, then put into it."""

from __future__ import annotations

import os
from pathlib import Path


def write_text(file: Path, text: str) -> None:
    """Writes a text as UTF-8; a file that is there is replaced, or stays as it is when writing fails."""
    write_bytes(file, text.encode("utf-8"))


def write_bytes(file: Path, data: bytes) -> None:
    """Writes bytes; a file that is there is replaced, or stays as it is when writing fails."""
    temporary = file.with_name(f".{os.getpid()}-{file.name[-100:]}.part")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)
