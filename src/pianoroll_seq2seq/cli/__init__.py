"""The command line: ``pianoroll-seq2seq COMMAND``, or ``python -m pianoroll_seq2seq COMMAND``.

A command is a file of this folder with a typed function and a ``COMMAND``, and a line in ``main.COMMANDS``. Its
options are the function's parameters, read by cyclopts. Only the file of the chosen command is imported, and PyTorch
only when the command runs.
"""
