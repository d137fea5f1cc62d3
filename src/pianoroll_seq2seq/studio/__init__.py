"""A studio to play with: a page on this machine where one draws a primer and hears a model go on from it.

:func:`run_studio` serves it, and so does ``pianoroll-seq2seq studio``. It needs the extra ``studio``.
``studio.app.studio_app`` makes the application alone, for models that are opened already.
"""

from pianoroll_seq2seq.studio.run import run_studio as run_studio
