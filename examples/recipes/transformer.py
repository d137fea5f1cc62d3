"""The recipe ``copying`` with a Transformer in place of the LSTM."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from recipes.copying import copying, defaults_of
from recipes.recipe import Recipe

from pianoroll_seq2seq import CausalTransformer, PianoRoll


def transformer(
    rolls: Sequence[PianoRoll],
    *,
    hidden_size: int | None = None,
    num_layers: int = 3,
    num_heads: int = 4,
    learning_rate: float = 2e-3,
    **hyperparameters: Any,
) -> Recipe:
    """The recipe for some training pieces.

    Pieces, head, copy attention, regularization and steps are those of :func:`~recipes.copying.copying`, and the
    default sizes give about as many weights, so that the two models can be compared.

    Args:
        rolls: the training pieces.
        hidden_size: size of a step, a multiple of twice ``num_heads``; 96 by default, 128 for a large set.
        num_layers: blocks.
        num_heads: heads of the self-attention of each block.
        learning_rate: highest learning rate of AdamW.
        hyperparameters: the other arguments of ``copying``.
    """
    recipe = copying(rolls, **hyperparameters)
    assert isinstance(recipe.model, partial)
    if hidden_size is None:
        hidden_size = defaults_of(rolls).hidden_size // 2
    sizes = {"hidden_size": hidden_size, "num_layers": num_layers, "num_heads": num_heads}
    return replace(
        recipe,
        name=recipe.name.replace("copying", "transformer"),
        model=partial(CausalTransformer, **{**recipe.model.keywords, **sizes}),
        learning_rate=learning_rate,
    )
