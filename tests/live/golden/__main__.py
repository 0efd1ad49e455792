"""Compares the golden lists with what comes of the recordings now, or writes them anew: see the package."""

from __future__ import annotations

import argparse
import difflib
import sys
import tempfile
from pathlib import Path

from live.recognizer import Recognizer
from skeleton import command_line
from tests.live import tiny_model
from tests.live.golden import NAMES, SHIPPED, expected, replayed


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    flags = argparse.ArgumentParser(prog="python -m tests.live.golden", description=__doc__)
    flags.add_argument("--write", action="store_true", help="write the lists anew")
    flags.add_argument("--record", action="store_true", help="make the recordings anew, and the lists")
    flags.add_argument("--verbose", action="store_true", help="show where an error came from")
    options = flags.parse_args(arguments)
    return command_line.run(
        lambda: _run(writes=options.write or options.record, records=options.record), is_verbose=options.verbose
    )


def _run(*, writes: bool, records: bool) -> int:
    if records:
        from tests.live.golden.record import record

        record()
    with tempfile.TemporaryDirectory() as folder:
        models = {"exercises": SHIPPED, "tiny": tiny_model.write(Path(folder) / "tiny.onnx")}
        recognizers = {model: Recognizer(path, provider="cpu") for model, path in models.items()}
        differing = [_differs(name, model, recognizers[model], writes) for name in NAMES for model in models]
    return 1 if any(differing) and not writes else 0


def _differs(name: str, model: str, recognizer: Recognizer, writes: bool) -> bool:
    """Shows how the list differs from what comes of the recording now, and replaces it when told to."""
    path = expected(name, model)
    old, new = path.read_text(encoding="utf-8") if path.exists() else "", replayed(name, recognizer)
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), path.name, "now", n=0, lineterm="")
    print("\n".join(lines) if old != new else f"{path.name}: the same, {len(new.splitlines()) - 1} actions")
    if writes and old != new:
        path.write_text(new, encoding="utf-8", newline="\n")
    return old != new


if __name__ == "__main__":
    sys.exit(main())
