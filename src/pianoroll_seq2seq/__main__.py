"""``python -m pianoroll_seq2seq``: the command line."""

import os
import sys

if __name__ == "__main__":
    if not sys.flags.safe_path and sys.path[0] == os.getcwd():
        del sys.path[0]  # python -m finds modules of the working directory first; here they must be named by an option
    from pianoroll_seq2seq.cli.main import main

    sys.exit(main())
