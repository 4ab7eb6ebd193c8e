"""``python -m librag`` is the command line."""

from librag.cli import main

main()
