"""The command line: ``pianoroll-seq2seq COMMAND``, or ``python -m pianoroll_seq2seq COMMAND``.

A command is a file of this folder with a typed function and a ``COMMAND``, and a line in ``main.COMMANDS``. Its
options come from the function's signature and docstring. Only the file of the command that is asked for is imported.
"""
