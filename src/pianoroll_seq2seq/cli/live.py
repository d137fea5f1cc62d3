"""``live``: call and response with a model on a MIDI keyboard."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter
from cyclopts.validators import Number

from pianoroll_seq2seq.cli.class_options import find_classes
from pianoroll_seq2seq.cli.command import Command, log
from pianoroll_seq2seq.cli.generate_options import SamplerOptions
from pianoroll_seq2seq.cli.options import BASIC, GENERAL, Count, whole_number

if TYPE_CHECKING:
    from pianoroll_seq2seq.live.ports import PortNames
    from pianoroll_seq2seq.live.run import LiveSummary

TURNS = Group("Turns", sort_key=10)
_Tempo = Annotated[float, Parameter(validator=Number(gte=20, lte=400), group=BASIC)]
_BeatsPerBar = Annotated[int, Parameter(validator=Number(gte=1, lte=32), converter=whole_number)]
_Pause = Annotated[float | None, Parameter(validator=Number(gt=0, lte=64))]
_Answer = Annotated[float | None, Parameter(validator=Number(gt=0, lte=1024))]


@Parameter(name="*", group=TURNS)
@dataclass(frozen=True)
class TurnOptions:
    """How player and model take turns."""

    tempo: _Tempo = 120.0
    """Beats per minute, 20 to 400. The first note after a silence is the beginning of a bar."""
    metronome: Annotated[bool, Parameter(negative=())] = False
    """Play the beats, on channel 10. Then bars are those of the metronome."""
    beats_per_bar: _BeatsPerBar = 4
    """Quarter notes in a bar."""
    pause: _Pause = None
    """Beats of silence after which the model answers; a bar by default."""
    answer: _Answer = None
    """Beats that the model plays; by default as many as you did."""
    part: Annotated[str | None, Parameter(metavar="PART")] = None
    """The part of the model that you play; the first by default."""
    through: Annotated[bool, Parameter(negative=())] = False
    """Send what you play to the output, too."""


def live(
    *,
    in_port: Annotated[str | None, Parameter(name="--in", metavar="PORT")] = None,
    out_port: Annotated[str | None, Parameter(name="--out", metavar="PORT")] = None,
    list_ports: Annotated[bool, Parameter(name="--list", negative=())] = False,
    model: Annotated[str, Parameter(metavar="MODEL")] = "bach-chorales",
    turns: TurnOptions = TurnOptions(),
    sampling: SamplerOptions = SamplerOptions(),
    classes: Annotated[list[str] | None, Parameter(group=GENERAL, metavar="CLASS...")] = None,
    threads: Annotated[Count, Parameter(group=GENERAL)] = 1,
) -> "LiveSummary | PortNames":
    """Plays with you: you play, and when you stop for a bar, the model answers, until you play again. Ctrl-C ends.

    Args:
        in_port: MIDI port of your keyboard, or a part of its name. By default a virtual port is opened for it.
        out_port: MIDI port of your synthesizer, or a part of its name. By default a virtual port is opened for it.
        list_ports: Show the ports, and end.
        model: Model that comes with the library, folder of a run, checkpoint, or hf://USER/NAME on the Hugging Face
            Hub.
        turns: how player and model take turns.
        sampling: how frames are chosen.
        classes: Import paths of your own model and head classes, such as my_module.MyModel.
        threads: CPU threads.

    Raises:
        MissingExtraError: the extra ``live`` is not installed.
        SettingsError: no such port, model or part.
        MidiPortError: a port that cannot be opened, or disappears.
    """
    from pianoroll_seq2seq.live import ports

    if list_ports:
        return ports.list_ports()
    ports.find_ports(in_port, out_port, arguments=("--in", "--out"))  # before the model, which takes longer
    from pianoroll_seq2seq.cli.generated import condition_of, open_trained, sampler_of
    from pianoroll_seq2seq.live.run import run_live
    from pianoroll_seq2seq.live.settings import LiveSettings

    trained, _ = open_trained(model, find_classes(classes or ()))
    settings = LiveSettings(
        beats_per_minute=turns.tempo,
        beats_per_bar=turns.beats_per_bar,
        pause_beats=turns.pause,
        answer_beats=turns.answer,
        part=turns.part,
        through=turns.through,
        metronome=turns.metronome,
    )
    return run_live(
        trained,
        input_name=in_port,
        output_name=out_port,
        settings=settings,
        sampler=sampler_of(sampling, trained),
        seed=sampling.seed,
        condition=condition_of(sampling, trained),
        threads=threads,
        say=log,
    )


COMMAND = Command(
    live,
    examples="""
    pianoroll-seq2seq live
    pianoroll-seq2seq live --list
    pianoroll-seq2seq live --in keystation --out fluid --through --tempo 90 --metronome
    pianoroll-seq2seq live --model runs/mine --pause 2 --answer 8 --temperature 0.9
    """,
)
