"""A studio in the browser: a piano roll to draw in, which models continue, fill, harmonize and vary.

:func:`run_studio` serves it on this machine, as does ``pianoroll-seq2seq studio``. It needs the extra ``studio``.
``studio.app.studio_app`` makes the application alone, from models that are already open.
"""

from pianoroll_seq2seq.studio.server import run_studio as run_studio
