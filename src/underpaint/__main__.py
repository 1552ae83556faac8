"""``python -m underpaint``: the command, where it is not on the path."""

from underpaint.cli import main

if __name__ == "__main__":
    main()
