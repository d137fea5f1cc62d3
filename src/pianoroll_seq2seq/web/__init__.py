"""What the pages that play music share: the music as their scripts read it, and the scripts themselves.

A page is one file that fetches nothing: it holds the scripts (``player.js``, which sounds; ``roll.js``, which draws;
``figure.js``, which puts both under one set of controls), the style (``page.css``), and the music as JSON. The report,
the notebook display and the studio are made of these parts and of nothing else.
"""

from pianoroll_seq2seq.web.assets import asset, scripts
from pianoroll_seq2seq.web.figures import Download, Figure, mounting
from pianoroll_seq2seq.web.pictures import curves_image, roll_image
from pianoroll_seq2seq.web.piece import VELOCITY, Music, music, script_json

__all__ = [
    "VELOCITY",
    "Download",
    "Figure",
    "Music",
    "asset",
    "curves_image",
    "mounting",
    "music",
    "roll_image",
    "script_json",
    "scripts",
]
