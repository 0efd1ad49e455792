"""Starts the desktop app, nothing else: ``python run_app.py --help`` lists the flags."""

import sys

from app.main import main

if __name__ == "__main__":
    sys.exit(main())
