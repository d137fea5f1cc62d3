"""The table of several runs, as text and as HTML."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, TypeAlias

Better: TypeAlias = Literal["lower", "higher"]


@dataclass(frozen=True)
class TableColumn:
    """A column: its title, the figure that it shows, and how."""

    title: str
    key: str
    """The name of the figure."""
    form: str = ""
    """The format of a number, such as ``.4f``."""
    better: Better | None = None
    """Which values are better; None if neither is."""


@dataclass(frozen=True)
class RunsTable:
    """The figures of runs as text, a run in each row."""

    head: tuple[str, ...]
    """The titles of the columns."""
    rows: tuple[tuple[str, ...], ...]
    """The cells of each run, its name first; ``-`` for what is unknown."""
    best: frozenset[tuple[int, int]] = frozenset()
    """The row and the column of the best value of each column of which two values differ."""

    def __str__(self) -> str:
        """Lines with aligned columns."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = []
        for row in (self.head, *self.rows):
            name, *cells = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
            lines.append("  ".join([name.strip().ljust(widths[0]), *cells]).rstrip())
        return "\n".join(lines)

    def to_html(self, *, names: Sequence[str] = ()) -> str:
        """A table whose first column stays in place while the others scroll.

        Args:
            names: the names of the runs as HTML; those of the table as text by default.
        """
        head = "".join(f'<th scope="col">{escape(title).replace(".", ".<wbr>")}</th>' for title in self.head)
        rows = []
        for place, (name, *cells) in enumerate(self.rows):
            values = "".join(
                f'<td class="pr-best">{escape(cell)}</td>'
                if (place, column) in self.best
                else f"<td>{escape(cell)}</td>"
                for column, cell in enumerate(cells, start=1)
            )
            rows.append(f'<tr><th scope="row">{names[place] if names else escape(name)}</th>{values}</tr>')
        return f'<table class="pr-table pr-runs"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def runs_table(names: Sequence[str], columns: Sequence[TableColumn], figures: Sequence[Mapping[str, Any]]) -> RunsTable:
    """Puts the figures of runs into a table, without the columns that no run has a value for.

    Args:
        names: the names of the runs.
        columns: the columns after that of the names.
        figures: the figures of each run, by the keys of the columns; None if one is unknown.

    Example:
        >>> columns = [TableColumn("loss", "valid_loss", ".2f", better="lower"), TableColumn("grade", "grade")]
        >>> print(runs_table(["narrow", "wide"], columns, [{"valid_loss": 2.5}, {"valid_loss": 2.25}]))
        run     loss
        narrow  2.50
        wide    2.25
    """
    shown = [column for column in columns if any(row.get(column.key) is not None for row in figures)]
    rows = [
        (name, *(_cell(row.get(one.key), one.form) for one in shown)) for name, row in zip(names, figures, strict=True)
    ]
    best: set[tuple[int, int]] = set()
    for index, column in enumerate(shown, start=1):
        texts = {row[index] for row in rows} - {"-"}
        values = [row.get(column.key) for row in figures]
        known = [value for value in values if isinstance(value, int | float) and math.isfinite(value)]
        if column.better is not None and known and len(texts) > 1:
            most = min(known) if column.better == "lower" else max(known)
            best |= {(place, index) for place, value in enumerate(values) if value == most}
    return RunsTable(("run", *(column.title for column in shown)), tuple(rows), frozenset(best))


def _cell(value: Any, form: str) -> str:
    return "-" if value is None else format(value, form)
