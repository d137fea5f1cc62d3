"""Distances between a set of generated pieces and a set of real ones.

Likelihood does not rank generated music: a model may predict well and drift out of key. :func:`compare_sets` compares
the distributions of music metrics in the two sets.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float64

from pianoroll_seq2seq.errors import GridError, MissingExtraError, SettingsError
from pianoroll_seq2seq.evaluation.histograms import Histograms, overlap
from pianoroll_seq2seq.evaluation.music_metrics import DEFAULT_METRICS, METRICS, Metric, groove_consistency
from pianoroll_seq2seq.grid import FrameGrid
from pianoroll_seq2seq.pianoroll import PianoRoll

_STEPS = 4  # points per bandwidth at which densities are evaluated
_REACH = 6  # bandwidths from a value to the end of its kernel


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two sets of pieces. Values that are undefined for the sets are NaN."""

    generated_mean: float
    generated_std: float
    """Standard deviation over the pieces (of the set as a population): 0 for one piece."""
    data_mean: float
    data_std: float
    overlap: float
    """Overlapped area of the densities of the metric in the two sets: 1 for equal densities, 0 for disjoint ones."""
    overlapped_area: float
    """Overlapped area of the densities of the inter-set distances and of the data's intra-set distances."""
    kl_divergence: float
    """KL(intra || inter), in nats: 0 for equal densities."""
    generated_pieces: int
    """Pieces for which the metric is defined."""
    data_pieces: int


@dataclass(frozen=True)
class MusicComparison:
    """The comparison of generated music with data. It prints as a table.

    Args:
        metrics: the comparison of each metric, by its name.
        polyphony_overlap: overlap of two histograms, of the number of notes in a frame, over all frames of each set
            (silent ones too): 1 for equal histograms, 0 for disjoint ones. NaN if a set has no frames.
        note_length_overlap: the same of the lengths of notes, over all notes of each set; NaN if a set has no notes.
        velocity_overlap: the same of the velocities of notes, in bins of four; NaN if they are unknown in a set.
        generated_pieces: pieces in the generated set.
        data_pieces: pieces in the data.
    """

    metrics: Mapping[str, MetricComparison]
    polyphony_overlap: float
    note_length_overlap: float
    velocity_overlap: float
    generated_pieces: int
    data_pieces: int

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it: null for values that are NaN or infinite."""
        result: dict[str, Any] = {
            "metrics": {name: asdict(row) for name, row in self.metrics.items()},
            "polyphony_overlap": self.polyphony_overlap,
            "note_length_overlap": self.note_length_overlap,
            "velocity_overlap": self.velocity_overlap,
            "generated_pieces": self.generated_pieces,
            "data_pieces": self.data_pieces,
        }
        for row in (result, *result["metrics"].values()):
            row.update({key: None for key, value in row.items() if key != "metrics" and not math.isfinite(value)})
        return result

    def __str__(self) -> str:
        """The table."""
        width = max((len(name) for name in self.metrics), default=0)
        lines = [
            f"{self.generated_pieces} generated pieces and {self.data_pieces} of the data; "
            f"overlap of polyphony {_format(self.polyphony_overlap, 0)}, of note lengths "
            f"{_format(self.note_length_overlap, 0)}"
            + ("" if math.isnan(self.velocity_overlap) else f", of velocities {self.velocity_overlap:.3f}"),
            f"{'':{width}}{'generated':>12}{'std':>8}{'data':>10}{'std':>8}{'overlap':>10}{'OA':>7}{'KL':>9}",
        ]
        for name, row in self.metrics.items():
            cells = (
                (row.generated_mean, 12),
                (row.generated_std, 8),
                (row.data_mean, 10),
                (row.data_std, 8),
                (row.overlap, 10),
                (row.overlapped_area, 7),
                (row.kl_divergence, 9),
            )
            lines.append(f"{name:{width}}" + "".join(_format(value, size) for value, size in cells))
        return "\n".join(lines)


def _format(value: float, width: int) -> str:
    """A number in a column; a dash for NaN."""
    if math.isnan(value):
        return f"{'-':>{width}}"
    return f"{value:{width}.3f}" if abs(value) < 1e4 else f"{value:{width}.1e}"


def compare_sets(
    generated: Sequence[PianoRoll],
    data: Sequence[PianoRoll],
    *,
    frames_per_bar: int | None = None,
    metrics: Mapping[str, Metric] | None = None,
) -> MusicComparison:
    """Compares the metrics of two sets of pieces.

    Intra- and inter-set distances are those of Yang and Lerch ("On the evaluation of generative models in music",
    Neural Computing and Applications, 2018): the difference of the metric between any two pieces of the data, and
    between any generated piece and any piece of the data. Densities are Gaussian kernel estimates with Scott's rule
    (``scipy.stats.gaussian_kde``), integrated over all real numbers. The divergence is KL(intra || inter), with both
    densities at the same points. The authors' own code ends the integral at the smallest and largest distance, and
    evaluates the two densities at different points.

    Pieces for which a metric is undefined are left out of its row. If the values of a set are all equal, they have no
    bandwidth and get that of the other set. If neither set has one, equal values have an overlap of 1 and a divergence
    of 0, different ones an overlap of 0 and an infinite divergence. If the data is a single piece, there are no
    intra-set distances: ``overlapped_area`` and ``kl_divergence`` are NaN.

    Args:
        generated: pieces that a model generated.
        data: real pieces on the same grid. Cut them to the length of the generated ones: entropy, for example, grows
            with length.
        frames_per_bar: adds :func:`~pianoroll_seq2seq.evaluation.music_metrics.groove_consistency` with bars of this
            length.
        metrics: the metrics, by name; by default :data:`~pianoroll_seq2seq.evaluation.music_metrics.METRICS`, those of
            velocities if both sets have velocities, and
            :data:`~pianoroll_seq2seq.evaluation.part_metrics.PART_METRICS` if both have several voices. The time grows
            with the number of pairs of pieces: seconds for hundreds of pieces.

    Raises:
        SettingsError: a set without pieces.
        GridError: pieces of different grids.
        MissingExtraError: scipy is not installed.

    Example:
        >>> import numpy as np
        >>> from pianoroll_seq2seq import PitchRange
        >>> rng = np.random.default_rng(0)
        >>> def pieces() -> list[PianoRoll]:
        ...     planes = [rng.random((32, 12)) < 0.2 for _ in range(8)]
        ...     return [PianoRoll.from_active(plane, pitches=PitchRange(60, 71)) for plane in planes]
        >>> compared = compare_sets(pieces(), pieces())
        >>> 0 < compared.metrics["polyphony"].overlap <= 1
        True
    """
    try:
        import scipy.stats  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("scipy", "metrics", "Comparing sets of music") from error
    if not len(generated) or not len(data):
        raise SettingsError(
            f"Both sets need at least one piece, got {len(generated)} generated and {len(data)} of the data."
        )
    is_default = metrics is None
    metrics = dict(DEFAULT_METRICS if metrics is None else metrics)
    if frames_per_bar is not None:
        metrics["groove_consistency"] = partial(groove_consistency, frames_per_bar=frames_per_bar)
    grid = generated[0].grid
    generated_values, of_generated = _measure(generated, metrics, grid)
    data_values, of_data = _measure(data, metrics, grid)
    if is_default:
        for name in DEFAULT_METRICS.keys() - METRICS.keys():
            if np.isnan(generated_values[name]).all() or np.isnan(data_values[name]).all():
                del metrics[name]
    return MusicComparison(
        {name: _compare(generated_values[name], data_values[name]) for name in metrics},
        overlap(of_generated.polyphony, of_data.polyphony),
        overlap(of_generated.note_frames, of_data.note_frames),
        overlap(of_generated.velocities, of_data.velocities),
        len(generated),
        len(data),
    )


def _measure(
    rolls: Sequence[PianoRoll], metrics: Mapping[str, Metric], grid: FrameGrid
) -> tuple[dict[str, np.ndarray], Histograms]:
    """Each metric of each piece, and the histograms of all of them."""
    values: dict[str, list[float]] = {name: [] for name in metrics}
    histograms = Histograms()
    for index in range(len(rolls)):
        roll = rolls[index]
        if roll.grid != grid:
            raise GridError(
                f"{roll.name or f'Piece {index}'} is on {roll.grid}, but the first generated piece is on {grid}. "
                f"Read all pieces on one grid."
            )
        for name, metric in metrics.items():
            values[name].append(float(metric(roll)))
        histograms.add(roll)
    return {name: np.array(row, dtype=np.float64) for name, row in values.items()}, histograms


def _compare(generated: Float64[np.ndarray, " n"], data: Float64[np.ndarray, " m"]) -> MetricComparison:
    generated, data = generated[~np.isnan(generated)], data[~np.isnan(data)]
    first, second = np.triu_indices(len(data), k=1)
    intra = np.abs(data[first] - data[second])
    inter = np.abs(generated[:, None] - data).ravel()
    overlap, _ = _overlap_and_divergence(generated, data)
    overlapped_area, kl_divergence = _overlap_and_divergence(intra, inter)
    (generated_mean, generated_std), (data_mean, data_std) = (
        (float(values.mean()), float(values.std())) if len(values) else (math.nan, math.nan)
        for values in (generated, data)
    )
    return MetricComparison(
        generated_mean=generated_mean,
        generated_std=generated_std,
        data_mean=data_mean,
        data_std=data_std,
        overlap=overlap,
        overlapped_area=overlapped_area,
        kl_divergence=kl_divergence,
        generated_pieces=len(generated),
        data_pieces=len(data),
    )


def _overlap_and_divergence(one: Float64[np.ndarray, " n"], other: Float64[np.ndarray, " m"]) -> tuple[float, float]:
    """Overlapped area of the densities of two samples, and the divergence KL(one || other) in nats."""
    if not len(one) or not len(other):
        return math.nan, math.nan
    if _is_point(one) and _is_point(other):
        return (1.0, 0.0) if _is_point(np.concatenate([one, other])) else (0.0, math.inf)
    bandwidths = [_scott(values) for values in (one, other)]
    bandwidths = [bandwidth or max(bandwidths) for bandwidth in bandwidths]
    at = np.unique(np.concatenate([_support(*pair) for pair in zip((one, other), bandwidths, strict=True)]))
    log_one, log_other = (_log_density(*pair, at) for pair in zip((one, other), bandwidths, strict=True))
    area = _integral(np.exp(np.minimum(log_one, log_other)), at)
    divergence = _integral(np.exp(log_one) * (log_one - log_other), at)
    return min(area, 1.0), max(divergence, 0.0)


def _is_point(values: Float64[np.ndarray, " n"]) -> bool:
    """Whether all values are equal, up to rounding."""
    return bool(np.ptp(values) <= 1e-9 * max(1.0, float(np.abs(values).max())))


def _scott(values: Float64[np.ndarray, " n"]) -> float:
    """The bandwidth of Scott's rule in one dimension; 0 for a point."""
    return 0.0 if _is_point(values) else float(values.std(ddof=1)) * len(values) ** -0.2


def _log_density(
    values: Float64[np.ndarray, " n"], bandwidth: float, at: Float64[np.ndarray, " points"]
) -> Float64[np.ndarray, " points"]:
    """Logarithm of the Gaussian kernel estimate, or of a single kernel if all values are equal."""
    from scipy.stats import gaussian_kde

    if _is_point(values):
        log_kernel: np.ndarray = -0.5 * ((at - values.mean()) / bandwidth) ** 2
        return log_kernel - math.log(bandwidth * math.sqrt(2 * math.pi))
    return np.asarray(gaussian_kde(values, bw_method="scott").logpdf(at))


def _support(values: Float64[np.ndarray, " n"], bandwidth: float) -> Float64[np.ndarray, " points"]:
    """Evenly spaced points at which a kernel estimate is not zero, without the gaps between distant values."""
    step = bandwidth / _STEPS
    cells = np.unique(np.round(values / step).astype(np.int64))
    reach = np.arange(-_REACH * _STEPS, _REACH * _STEPS + 1)
    points: np.ndarray = np.unique(cells[:, None] + reach) * step
    return points


def _integral(heights: Float64[np.ndarray, " points"], at: Float64[np.ndarray, " points"]) -> float:
    """The integral by the trapezoidal rule, which is almost exact for sums of Gaussians sampled this finely."""
    return float(((heights[1:] + heights[:-1]) / 2 * np.diff(at)).sum())
