"""The whole way from MIDI files to music and back, with the base dependencies alone.

python whole_way.py FOLDER
"""

import sys
from pathlib import Path
from typing import Any, assert_type

import torch
from own_parts import AtMost, Printing, Repeating, TwoLayerHead

import pianoroll_seq2seq
from pianoroll_seq2seq import (
    Augmentation,
    BachOrMock,
    BeatGrid,
    CausalTransformer,
    ChoraleScores,
    ConditionSource,
    Controllers,
    CopyingLSTM,
    Corpus,
    Draw,
    Evaluation,
    FanOut,
    FillingLSTM,
    FillTasks,
    FrameLayout,
    Generations,
    Given,
    GivenFrames,
    GuidedFillingModel,
    GuidedModel,
    Harmonization,
    History,
    JoinedConditions,
    JsonlTracker,
    KeySignature,
    Likelihood,
    Limits,
    LocalStore,
    Meter,
    MetricPosition,
    Monophonic,
    MonophonicHead,
    MusicSummary,
    NADEHead,
    NotesHead,
    NoteTable,
    NoTracker,
    ParallelControl,
    Part,
    PhraseEnds,
    PianoRoll,
    Piece,
    PitchRange,
    PolyphonyControl,
    RelativeBernoulliHead,
    RelativeWindowHead,
    RepetitionControl,
    SampleMusic,
    ScaleConstrained,
    Score,
    SeamOverlap,
    Seq2SeqLSTM,
    SequenceModel,
    SlidingWindows,
    SteppingSampler,
    StopAfter,
    TemperatureSchedule,
    TempoMap,
    Threshold,
    TimeSignature,
    TopP,
    TrainedModel,
    Typical,
    Velocity,
    VelocityHead,
    VoiceLeading,
    WholePieces,
    accompany,
    add_dynamics,
    best_of,
    build_corpus,
    concatenate,
    continuation_log_probs,
    cosine_schedule,
    drop_duplicates,
    evaluate,
    fill,
    fill_frames,
    fit,
    generate,
    generate_frames,
    given_to_vary,
    harmonize,
    infill,
    join_processes,
    likelihood,
    load_service,
    longest_run,
    memorized_share,
    model_card,
    one_hot,
    open_model,
    phrase_end_frames,
    pitch_class_set,
    pitch_class_vector,
    polyphony_weights,
    pretrained_names,
    pull_folder,
    push_folder,
    read_folder,
    read_midi,
    read_musicxml,
    roll_from_array,
    roll_to_array,
    save,
    save_pretrained,
    score_chorales,
    seam_overlap,
    split_by_piece,
    summarize_music,
    vary,
    write_midi,
    write_musicxml,
)
from pianoroll_seq2seq.checkpoint import load
from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords
from pianoroll_seq2seq.errors import MidiError, PianoRollSeq2SeqError
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.serving import Service

PITCHES = PitchRange(36, 96)
LAYOUT = FrameLayout(BeatGrid(2), PITCHES)


def read(folder: Path) -> list[PianoRoll]:
    """Files become rolls."""
    midi = write_scale_chords(folder / "midi")
    for path in sorted(midi.glob("*.mid"))[6:]:
        path.unlink()
    rolls, failures = read_folder(midi, grid=BeatGrid(2), pitches=PITCHES, drums=False)
    assert_type(rolls, list[PianoRoll])
    assert_type(failures, dict[str, str])
    first = sorted(midi.glob("*.mid"))[0]
    score = read_midi(first, limits=Limits(max_file_bytes=10**6))
    assert_type(score, Score)
    assert_type(score.notes, NoteTable)
    assert_type(score.parts[0], Part)
    assert_type(score.tempo, TempoMap)
    assert_type(score.meter, Meter)
    assert_type(score.meter.time_signatures, tuple[TimeSignature, ...])
    assert_type(score.meter.key_signatures, tuple[KeySignature, ...])
    assert_type(read_midi(first, controllers=True).controllers, Controllers)
    print(len(score.bar_ticks()), "bars of", len(score.beat_ticks()), "beats")
    write_midi(score, folder / "same.mid", overwrite=True)
    assert_type(PianoRoll.from_midi(first, grid=BeatGrid(2), pitches=PITCHES), PianoRoll)
    try:
        read_midi(b"not music")
    except MidiError as error:
        caught: PianoRollSeq2SeqError = error
        print(caught)
    corpus = build_corpus(midi, folder / "corpus", grid=BeatGrid(2), pitches=PITCHES, progress=False)
    assert_type(corpus, Corpus)
    assert_type(corpus[0], PianoRoll)
    kept, duplicates = drop_duplicates(rolls)
    print(len(kept), "pieces,", duplicates, pitch_class_set(kept[0]))
    return list(kept)


def arrays(roll: PianoRoll) -> None:
    """Rolls are arrays, and made of them."""
    assert_type(roll[:4], PianoRoll)
    assert_type(roll + roll.transpose(0), PianoRoll)
    assert_type(concatenate([roll, roll]), PianoRoll)
    assert_type(PianoRoll.from_frames(roll.to_frames(LAYOUT), LAYOUT), PianoRoll)
    print(len(roll.notes().pitch), "notes")
    again = roll_from_array(roll_to_array(roll), grid=roll.grid, pitches=roll.pitches)
    assert_type(again, PianoRoll)
    silence = PianoRoll.silent(8, grid=BeatGrid(2), pitches=PITCHES)
    print(len(silence), silence.seconds, Piece(roll, primer_frames=4).name)


def parts_and_dynamics(roll: PianoRoll, folder: Path) -> None:
    """Several parts, velocities and notation."""
    duet = PianoRoll.stack({"high": roll, "low": roll})
    assert_type(duet["high"], PianoRoll)
    assert_type(duet.merged(), PianoRoll)
    written = write_musicxml(duet.to_score(), folder / "duet.musicxml", overwrite=True)
    assert_type(read_musicxml(written), Score)
    of_parts = FrameLayout.of(duet)
    chain = MonophonicHead(8, of_parts)
    assert_type(chain.forward(torch.zeros(1, 1, 8), torch.zeros(1, 1, of_parts.frame_size)), Monophonic)
    layout = FrameLayout.of(roll, velocity=True)
    loud = VelocityHead(8, layout)
    assert_type(loud.forward(torch.zeros(1, 1, 8), torch.zeros(1, 1, layout.frame_size)), Velocity)
    played = add_dynamics(Seq2SeqLSTM(layout, hidden_size=8), roll[:8])
    assert_type(played, PianoRoll)
    assert_type(summarize_music([played], [roll]), MusicSummary)
    assert_type(score_chorales([duet], [duet], training=[duet]), ChoraleScores)
    assert_type(BachOrMock.fit([duet]).grade(duet), float)
    assert_type(VoiceLeading.of(duet), VoiceLeading)
    assert_type(Harmonization.of(duet, "high").pitch_consonance, float)
    assert_type(memorized_share([duet], [duet], num_frames=8, transposed=True), float)
    assert_type(seam_overlap([duet], [(4, 8)], [duet]), SeamOverlap)


def filling(roll: PianoRoll) -> None:
    """What is given of a piece, and what is written."""
    duet = PianoRoll.stack({"high": roll, "low": roll})
    model = FillingLSTM(FrameLayout.of(duet), hidden_size=8, encoder_size=4, head=NotesHead)
    given = Given.parts("high") & ~Given.before(4) | Given.outside(bars=(1, 1))
    assert_type(given, Given)
    examples = WholePieces([duet], max_frames_per_batch=64, tasks=FillTasks(continuing=0.5))
    masks, ends = examples.given([0])
    assert_type(GivenFrames.of(examples[0][1], masks, examples.layout, end=ends), GivenFrames)
    print(given.mask(duet).shape)
    assert_type(fill(model, duet, given, seed=1), PianoRoll)
    fewer = ParallelControl(FrameLayout.of(duet), Draw(0.9), weight=0.1)
    assert_type(fill(model, [duet, duet[:8]], Given.nothing(), sampler=fewer, seed=1), Generations)
    print(next(fill_frames(model, duet, given)).shape)
    assert_type(harmonize(model, roll, part="low", seed=1), PianoRoll)
    assert_type(accompany(model, duet, parts="low"), PianoRoll)
    assert_type(infill(model, duet, 1), PianoRoll)
    assert_type(vary(model, duet, keep=0.5), PianoRoll)
    assert_type(given_to_vary(duet, keep=0.5), Given)
    phrases = FillingLSTM(
        FrameLayout.of(duet), hidden_size=8, encoder_size=4, condition_source=PhraseEnds(), head=NotesHead
    )
    phrase_ends = PhraseEnds()(duet, phrase_ends=[4])
    assert_type(fill(GuidedFillingModel(phrases, 1.0), duet, given, condition=phrase_ends), PianoRoll)
    trained = TrainedModel(model, FrameLayout.of(duet))
    assert_type(trained.harmonize(roll, part="low"), PianoRoll)
    assert_type(trained.fill(duet, given), PianoRoll)
    assert_type(trained.infill(duet, bars=(1, 1)), PianoRoll)


def learn(rolls: list[PianoRoll], folder: Path) -> None:
    """Windows, models, training, scores."""
    split = split_by_piece(rolls, valid=0.2, test=0.2, seed=0)
    windows = SlidingWindows(split.train, input_frames=8, target_frames=8, hop=8, augmentation=Augmentation((-2, 2)))
    valid = SlidingWindows(split.valid, input_frames=8, target_frames=8, hop=8)
    own = Seq2SeqLSTM(windows.layout, hidden_size=8, head=TwoLayerHead, block_frames=8)
    tracker = FanOut(Printing(), NoTracker(), JsonlTracker(folder / "metrics.jsonl"))
    with tracker:
        history = fit(
            own,
            windows,
            valid,
            epochs=1,
            batch_size=8,
            schedule=cosine_schedule(0.1),
            tracker=tracker,
            checkpoint_dir=folder / "run",
            on_epoch=[StopAfter(60), SampleMusic([rolls[0][:8]], 8, folder / "samples", picture=False)],
            progress=False,
        )
    assert_type(history, History)
    assert_type(history.train_losses, list[float])
    assert_type(evaluate(own, valid), Evaluation)
    assert_type(evaluate(Repeating(len(PITCHES)), valid), Evaluation)
    copying = CopyingLSTM(LAYOUT, hidden_size=8, num_copy_heads=2)
    fit(copying, WholePieces(split.train, max_frames_per_batch=256), epochs=1, batch_size=1, progress=False)
    assert_type(likelihood([copying, copying], split.test), Likelihood)
    assert_type(likelihood(CausalTransformer(LAYOUT, hidden_size=8, num_layers=1), split.test), Likelihood)
    for head in (RelativeBernoulliHead, RelativeWindowHead, NADEHead):
        Seq2SeqLSTM(LAYOUT, hidden_size=8, head=head)
    Seq2SeqLSTM(FrameLayout.of(rolls[0], onsets=True), hidden_size=8, head=NotesHead)
    ParallelSeq2SeqLSTM(LAYOUT, hidden_size=8, block_frames=8)
    conditional = Seq2SeqLSTM(LAYOUT, hidden_size=8, condition_size=12, condition_dropout=0.2)
    scale = pitch_class_vector({0, 2, 4, 5, 7, 9, 11})
    generate(GuidedModel(conditional, 0.5), rolls[0][:8], num_frames=4, condition=scale)
    print(one_hot(["bach"], ["bach", "mozart"]).shape)
    source: ConditionSource = JoinedConditions((MetricPosition(), PhraseEnds()))
    by_place = [source(roll, phrase_end_frames(roll, beats=[1])) for roll in rolls]
    assert_type(WholePieces(rolls, max_frames_per_batch=4096, conditions=by_place).condition_size, int)


def play(rolls: list[PianoRoll], folder: Path) -> None:
    """Trained models, music, and sharing."""
    trained = open_model(folder / "run", classes=[TwoLayerHead])
    assert_type(trained, TrainedModel)
    assert_type(trained.model, SequenceModel)
    primer = rolls[0][:8]
    assert_type(generate(trained.model, primer, num_frames=8, sampler=AtMost(3)), PianoRoll)
    scale = ScaleConstrained(Draw(0.9), (0, 2, 4, 5, 7, 9, 11), LAYOUT)
    several = generate(trained.model, [primer, primer], num_frames=8, sampler=scale, seed=1)
    assert_type(several, Generations)
    assert_type(trained.generate(primer, beats=4, seed=1), PianoRoll)
    fuller = PolyphonyControl(polyphony_weights(rolls, rolls, fewest_frames=1), sampler=TopP(0.9, num_samples=4))
    calmer = RepetitionControl(fuller, weight=0.5, max_run=longest_run(rolls))
    cooler = TemperatureSchedule(lambda frame: 1 / (1 + frame), Typical(0.9, num_samples=4))
    stepping: SteppingSampler = cooler
    print(stepping.start(torch.zeros(1, 0, LAYOUT.frame_size)))
    best = best_of(trained.model, primer, n=2, num_frames=4, sampler=calmer)
    assert_type(best, PianoRoll)
    assert_type(best_of(trained.model, [primer], n=2, num_frames=4, sampler=cooler), Generations)
    print(continuation_log_probs(trained.model, [primer], [best]).sum())
    frame = next(generate_frames(trained.model, primer.to_frames(LAYOUT)[None], sampler=Threshold(0.3)))
    print(frame.shape)
    several[0].to_midi(folder / "music.mid", overwrite=True)
    trained.save_pretrained(folder / "shared", card={"license": "mit"}, overwrite=True)
    save_pretrained(Repeating(LAYOUT.frame_size), folder / "other", layout=LAYOUT, overwrite=True)
    assert_type(open_model(folder / "other", classes=[Repeating]), TrainedModel)
    assert_type(Seq2SeqLSTM.from_pretrained(folder / "shared", classes=[TwoLayerHead]), Seq2SeqLSTM)
    assert_type(model_card(pretrained_names()[0]), dict[str, Any])
    save(CopyingLSTM(5, hidden_size=4), folder / "bare.safetensors", overwrite=True)
    copying: CopyingLSTM = load(folder / "bare.safetensors")
    print(copying.frame_size)
    assert_type(load_service("bach-chorales"), Service)
    store = LocalStore(folder / "store")
    push_folder(folder / "shared", store, "models/shared")
    pull_folder(store, folder / "pulled", "models/shared")
    assert_type(store.get("models/shared/config.json"), bytes)


def main(folder: Path) -> None:
    """All of it."""
    print("pianoroll_seq2seq", pianoroll_seq2seq.__version__)
    with join_processes() as processes:
        print(processes.rank)
    rolls = read(folder)
    arrays(rolls[0])
    parts_and_dynamics(rolls[0], folder)
    filling(rolls[0][:16])
    learn(rolls, folder)
    play(rolls, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
