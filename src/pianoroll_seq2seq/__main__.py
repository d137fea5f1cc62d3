"""``python -m pianoroll_seq2seq``: the command line."""

import sys

from pianoroll_seq2seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
