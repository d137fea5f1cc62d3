"""A run on one page: an HTML file that holds all it shows and plays, and fetches nothing.

The music stands at the top, each piece under a scrolling roll with its player and with MIDI and WAV to save; then the
scores beside those of copying, the loss curves, and what was trained on. The page is read by screen readers, used by
keyboard, and follows light and dark.
"""

from pianoroll_seq2seq.report.page import describe_model, write_report
from pianoroll_seq2seq.report.run import report_run

__all__ = ["describe_model", "report_run", "write_report"]
