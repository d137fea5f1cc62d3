"""Values whose arrays cannot be written to, nor those of their copies."""

from collections.abc import Mapping

import numpy as np


def make_read_only(value: object, fields: Mapping[str, object]) -> None:
    """Sets the fields of a value, with its arrays read-only.

    As ``__setstate__`` of a class it does so for copies and pickles, whose arrays numpy makes writeable.
    """
    for field in fields.values():
        if isinstance(field, np.ndarray):
            field.flags.writeable = False
    value.__dict__.update(fields)
