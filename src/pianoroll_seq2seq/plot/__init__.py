"""Pictures (extra ``plot``): each function draws into axes that are given, or into new ones, and returns them.

Colours are Okabe and Ito's, which colour-blind readers tell apart; what a colour says, a hatch, a dash or a shade of
grey says too, so that pictures can be printed in black and white.
"""

from pianoroll_seq2seq.plot.attention import plot_attention
from pianoroll_seq2seq.plot.curves import plot_histories, plot_learning_rates
from pianoroll_seq2seq.plot.distributions import plot_distributions
from pianoroll_seq2seq.plot.evaluations import plot_evaluation
from pianoroll_seq2seq.plot.figures import save_figure
from pianoroll_seq2seq.plot.probabilities import plot_probabilities
from pianoroll_seq2seq.plot.rolls import plot_roll
from pianoroll_seq2seq.plot.times import TimeUnit
from pianoroll_seq2seq.plot.voices import plot_voices

__all__ = [
    "TimeUnit",
    "plot_attention",
    "plot_distributions",
    "plot_evaluation",
    "plot_histories",
    "plot_learning_rates",
    "plot_probabilities",
    "plot_roll",
    "plot_voices",
    "save_figure",
]
