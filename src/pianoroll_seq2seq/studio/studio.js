// The studio's page: the primer, the settings of its continuation, and the piece while it is generated.

(() => {
  const settings = JSON.parse(document.getElementById("settings").textContent);
  const byId = (id) => document.getElementById(id);
  const editor = new PrimerEditor(byId("editor"), { beats: 16, help: "editor-help" });
  let job = null; // the AbortController of the running job
  let figure = null; // the player and the roll of the piece

  const model = () => settings.models.find(({ name }) => name === byId("model").value);
  const addOption = (text, value, parent) => parent.append(Object.assign(document.createElement("option"), { textContent: text, value }));
  const showStatus = (text) => (byId("status").textContent = text);
  const showError = (text) => (byId("error").textContent = text);
  const countNotes = (count) => (count === 1 ? "1 note" : `${count} notes`);
  const randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % 100000;

  // A cadence in C: the primer when the page opens.
  function examplePrimer() {
    const chords = [[48, 64, 67, 72], [53, 65, 69, 72], [55, 62, 67, 71], [48, 64, 67, 72]];
    return chords.flatMap((chord, beat) => chord.map((pitch) => ({ pitch, start: beat, length: 1 })));
  }

  function initialize() {
    for (const { name } of settings.models) addOption(name, name, byId("model"));
    settings.roots.forEach((root, index) => addOption(root, index, byId("root")));
    for (const kind of Object.keys(settings.scales)) addOption(kind, kind, byId("scale"));
    [byId("temperature").min, byId("temperature").max] = [0.2, 2];
    [byId("tempo").min, byId("tempo").max] = settings.beats_per_minute;
    byId("primer-beats").max = settings.max_primer_beats;
    byId("seed").value = randomSeed();
    modelChanged();
    temperatureChanged();
    editor.replace(examplePrimer());
    editor.showNotes();
  }

  function modelChanged() {
    const { lowest, highest, card, conditional } = model();
    editor.setPitches(lowest, highest);
    editor.showNotes();
    const scale = conditional
      ? "The scale is a condition of this model."
      : "With a scale, frames with notes outside it are drawn again.";
    const notFor = card.not_for ? `Not for: ${card.not_for}` : "";
    byId("about").textContent = [card.what, card.data, notFor, scale].filter(Boolean).join(" ");
  }

  function temperatureChanged() {
    byId("temperature-value").textContent = Number(byId("temperature").value).toFixed(2);
  }

  // The value of a number field, or an error that names the field.
  function number(id, name) {
    const field = byId(id);
    if (!field.checkValidity() || field.value === "") {
      field.focus();
      throw new Error(`${name}: ${field.validationMessage || "a number is missing."}`);
    }
    return Number(field.value);
  }

  function generationRequest() {
    const notes = editor.primer();
    if (!notes.length) throw new Error("The primer is empty. Draw some notes, or open a MIDI file.");
    const root = byId("root").value;
    return {
      model: model().name,
      primer_notes: notes.map(({ pitch, start, length }) => ({ pitch, start_beat: start, duration_beats: length })),
      beats_per_minute: number("tempo", "Tempo"),
      length: { [byId("unit").value]: number("length", "Length") },
      sampler: { kind: "draw", temperature: number("temperature", "Temperature") },
      scale: root === "" ? null : settings.scales[byId("scale").value].map((step) => (step + Number(root)) % 12),
      seed: number("seed", "Seed"),
    };
  }

  // Shows a piece that plays while it arrives, from its beginning or from the end of the primer.
  function mountPiece(opening) {
    figure?.player.destroy();
    byId("piece").replaceChildren();
    figure = mountPlayer(byId("piece"), { ...opening, name: "Piece" });
    byId("piece").scrollIntoView({ block: "nearest" });
    const { player, view } = figure;
    const start = byId("from-primer").checked ? 0 : opening.primer_seconds;
    let autoplay = true; // until the user pauses, or the stream has ended
    const playButton = byId("piece").querySelector(".pr-play");
    playButton.addEventListener("click", () => (autoplay = player.playing));
    return {
      extend(notes, seconds) {
        player.extend(notes, seconds);
        view.extend(notes, seconds);
        if (!autoplay || player.playing || seconds <= Math.max(start, player.position)) return;
        if (player.position < start) player.seek(start);
        playButton.click();
        autoplay = true;
      },
      end() {
        autoplay = false;
      },
    };
  }

  async function generate() {
    showError("");
    let request;
    try {
      request = generationRequest();
    } catch (error) {
      showStatus("");
      return showError(error.message);
    }
    // Browsers allow sound only from within a click, so the audio context starts here.
    (window.pianorollAudio ??= new AudioContext()).resume();
    const controller = (job = new AbortController());
    setGenerating(true);
    showStatus("Generating …");
    byId("downloads").hidden = true;
    let piece = null;
    try {
      const response = await post("/continue", { body: JSON.stringify(request), signal: controller.signal });
      for await (const part of jsonLines(response)) {
        if (part.piece_id) setDownloads(part.piece_id);
        else if (part.opening) {
          piece = mountPiece(part.opening);
          piece.extend([], part.opening.seconds); // the primer plays at once
        } else if (part.error) throw new Error(part.error.message);
        else if (part.notes) piece.extend(part.notes, part.seconds);
        else if (part.done) showStatus(`Done: ${figure.player.seconds.toFixed(1)} seconds`);
        else if (part.cancelled) showStatus("Stopped: another piece was started.");
      }
    } catch (error) {
      if (error.name === "AbortError") showStatus("Stopped.");
      else {
        showStatus("");
        showError(error.message);
      }
    } finally {
      piece?.end();
      if (job === controller) {
        job = null;
        setGenerating(false);
        byId("downloads").hidden = !piece;
      }
    }
  }

  function setDownloads(pieceId) {
    byId("download-midi").href = `/pieces/${pieceId}.mid`;
    byId("download-wav").href = `/pieces/${pieceId}.wav`;
  }

  function stop() {
    job?.abort();
    figure?.player.pause();
  }

  // Enables one of the two buttons. The keyboard focus moves with it.
  function setGenerating(generating) {
    const [enabled, disabled] = generating ? ["stop", "continue"] : ["continue", "stop"];
    const focused = document.activeElement === byId(disabled);
    byId(enabled).disabled = false;
    if (focused) byId(enabled).focus();
    byId(disabled).disabled = true;
  }

  async function openMidi() {
    const [file] = byId("midi").files;
    if (!file) return;
    showError("");
    try {
      if (file.size > settings.max_midi_bytes) throw new Error(`${file.name}: ${file.size} bytes; the limit is ${settings.max_midi_bytes}.`);
      const query = new URLSearchParams({ model: model().name, beats: editor.beats });
      const response = await post(`/primer?${query}`, { body: file });
      const { notes, beats_per_minute: tempo, num_dropped: dropped, truncated } = await response.json();
      editor.replace(notes.map(({ pitch, start_beat, duration_beats }) => ({ pitch, start: start_beat, length: duration_beats })));
      editor.showNotes();
      byId("tempo").value = tempo;
      const outside = dropped ? ` Left out: ${countNotes(dropped)} outside the model's pitches.` : "";
      showStatus(`${countNotes(notes.length)} of ${file.name}${truncated ? `, its first ${editor.beats} beats` : ""}.${outside}`);
    } catch (error) {
      showError(error.message);
    } finally {
      byId("midi").value = "";
    }
  }

  // Plays a note when it is drawn.
  function playNote(pitch) {
    const player = new Player({ notes: [[0, 0.3, pitch, 0.7]], seconds: 0.5 }, { onended: () => player.destroy() });
    player.play();
  }

  byId("model").addEventListener("change", modelChanged);
  byId("temperature").addEventListener("input", temperatureChanged);
  byId("root").addEventListener("change", () => (byId("scale").disabled = byId("root").value === ""));
  byId("note-length").addEventListener("change", () => (editor.newLength = Number(byId("note-length").value)));
  byId("primer-beats").addEventListener("change", () => {
    if (byId("primer-beats").checkValidity()) editor.setBeats(Number(byId("primer-beats").value));
  });
  byId("midi").addEventListener("change", openMidi);
  byId("undo").addEventListener("click", () => editor.undo());
  byId("clear").addEventListener("click", () => editor.replace([]));
  byId("new-seed").addEventListener("click", () => (byId("seed").value = randomSeed()));
  byId("continue").addEventListener("click", generate);
  byId("stop").addEventListener("click", stop);
  editor.onnote = playNote;
  addEventListener("pagehide", () => job?.abort());
  initialize();
})();
