"""Sheet music: engraves piano rolls and scores as pages, and writes SVG and PDF files (extra ``score``).

``readable`` puts the notes on a grid that can be read and into at most two voices a staff; ``engraving`` has Verovio
draw the pages; ``pages`` holds and writes them.
"""

from pianoroll_seq2seq.display.sheet_music.engraving import to_sheet_music as to_sheet_music
from pianoroll_seq2seq.display.sheet_music.pages import SheetMusic as SheetMusic
from pianoroll_seq2seq.display.sheet_music.pages import check_pdf as check_pdf
from pianoroll_seq2seq.display.sheet_music.readable import notation_grid as notation_grid
