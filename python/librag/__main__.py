"""``python -m librag`` and the command ``librag``: what a person who presses Ctrl-C at once sees is one line."""

import sys


def main() -> None:
    """Imports the command line and runs it."""
    try:
        from librag import cli

        cli.main()
    except KeyboardInterrupt:
        print("librag: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
