// The studio's page: the primer, the wishes, and the piece as it is written.

(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const byId = (id) => document.getElementById(id);
  const editor = new PrimerEditor(byId("editor"), { beats: 16, help: "editor-help" });
  let writing = null; // the AbortController of the piece that is being written
  let figure = null; // what plays and draws the piece

  const model = () => facts.models.find((one) => one.name === byId("model").value);
  const option = (text, value, parent) => parent.append(Object.assign(document.createElement("option"), { textContent: text, value }));
  const tell = (text) => (byId("status").textContent = text);
  const counted = (notes) => (notes === 1 ? "1 note" : `${notes} notes`);
  const complain = (text) => (byId("error").textContent = text);

  // A cadence in C, so that there is something to hear at once.
  function example() {
    const chords = [[48, 64, 67, 72], [53, 65, 69, 72], [55, 62, 67, 71], [48, 64, 67, 72]];
    return chords.flatMap((chord, beat) => chord.map((pitch) => ({ pitch, start: beat, length: 1 })));
  }

  function fill() {
    for (const { name } of facts.models) option(name, name, byId("model"));
    facts.roots.forEach((root, index) => option(root, index, byId("root")));
    for (const kind of Object.keys(facts.scales)) option(kind, kind, byId("scale"));
    [byId("temperature").min, byId("temperature").max] = [0.2, 2];
    [byId("tempo").min, byId("tempo").max] = facts.beats_per_minute;
    byId("room").max = facts.primer_beats;
    byId("seed").value = newSeed();
    chosen();
    heat();
    editor.replace(example());
    editor.showNotes();
  }

  function newSeed() {
    return crypto.getRandomValues(new Uint32Array(1))[0] % 100000;
  }

  function chosen() {
    const { lowest, highest, card, told } = model();
    editor.setPitches(lowest, highest);
    editor.showNotes();
    const scale = told
      ? "It is told the scale you choose."
      : "With a scale, frames that leave it are drawn again.";
    const not = card.not_for ? `Not for: ${card.not_for}` : "";
    byId("about").textContent = [card.what, card.data, not, scale].filter(Boolean).join(" ");
  }

  function heat() {
    byId("temperature-shown").textContent = Number(byId("temperature").value).toFixed(2);
  }

  // A number of the form, or an error that names it.
  function number(id, name) {
    const field = byId(id);
    if (!field.checkValidity() || field.value === "") {
      field.focus();
      throw new Error(`${name}: ${field.validationMessage || "a number is missing."}`);
    }
    return Number(field.value);
  }

  function wish() {
    const notes = editor.primer();
    if (!notes.length) throw new Error("The primer is empty. Draw some notes, or bring a MIDI file.");
    const root = byId("root").value;
    return {
      model: model().name,
      primer_notes: notes.map(({ pitch, start, length }) => ({ pitch, start_beat: start, duration_beats: length })),
      beats_per_minute: number("tempo", "Tempo"),
      length: { [byId("unit").value]: number("length", "Length") },
      sampler: { kind: "draw", temperature: number("temperature", "Temperature") },
      scale: root === "" ? null : facts.scales[byId("scale").value].map((step) => (step + Number(root)) % 12),
      seed: number("seed", "Seed"),
    };
  }

  // Plays a piece while it comes: from its beginning, or from where the primer ends.
  function listener(music) {
    figure?.player.destroy();
    byId("piece").replaceChildren();
    figure = mountMusic(byId("piece"), { ...music, name: "Piece" });
    byId("piece").scrollIntoView({ block: "nearest" });
    const { player, view } = figure;
    const start = byId("from-primer").checked ? 0 : music.primer_seconds;
    let wanted = true; // until the listener has paused, or the music has begun and caught up for good
    const toggle = byId("piece").querySelector(".pr-play");
    toggle.addEventListener("click", () => (wanted = player.playing));
    return {
      extend(notes, seconds) {
        player.extend(notes, seconds);
        view.extend(notes, seconds);
        if (!wanted || player.playing || seconds <= Math.max(start, player.position)) return;
        if (player.position < start) player.seek(start);
        toggle.click();
        wanted = true;
      },
      end() {
        wanted = false;
      },
    };
  }

  async function write() {
    complain("");
    let asked;
    try {
      asked = wish();
    } catch (error) {
      tell("");
      return complain(error.message);
    }
    // In the click itself, as browsers want it: the sound is ready before the music is.
    (window.pianorollAudio ??= new AudioContext()).resume();
    const mine = (writing = new AbortController());
    busy(true);
    tell("Writing …");
    byId("downloads").hidden = true;
    let hearing = null;
    try {
      const answer = await ask("/continue", { body: JSON.stringify(asked), signal: mine.signal });
      for await (const part of linesOf(answer)) {
        if (part.piece) offer(part.piece);
        else if (part.music) {
          hearing = listener(part.music);
          hearing.extend([], part.music.seconds); // what is known of the primer sounds at once
        } else if (part.error) throw new Error(part.error.message);
        else if (part.notes) hearing.extend(part.notes, part.seconds);
        else if (part.done) tell(`Written: ${figure.player.seconds.toFixed(1)} seconds`);
        else if (part.stopped) tell("Stopped: another piece was begun.");
      }
    } catch (error) {
      if (error.name === "AbortError") tell("Stopped.");
      else {
        tell("");
        complain(error.message);
      }
    } finally {
      hearing?.end();
      if (writing === mine) {
        writing = null;
        busy(false);
        byId("downloads").hidden = !hearing;
      }
    }
  }

  function offer(place) {
    for (const kind of ["midi", "wav"]) byId(`download-${kind}`).href = `/music/${place}.${kind === "midi" ? "mid" : kind}`;
  }

  function stop() {
    writing?.abort();
    figure?.player.pause();
  }

  // Who pressed the one by keyboard stands on the other then.
  function busy(on) {
    const [now, before] = on ? ["stop", "continue"] : ["continue", "stop"];
    const focused = document.activeElement === byId(before);
    byId(now).disabled = false;
    if (focused) byId(now).focus();
    byId(before).disabled = true;
  }

  async function bring() {
    const [file] = byId("midi").files;
    if (!file) return;
    complain("");
    try {
      if (file.size > facts.midi_bytes) throw new Error(`${file.name}: a file of ${file.size} bytes, and at most ${facts.midi_bytes} are taken.`);
      const query = new URLSearchParams({ model: model().name, beats: editor.beats });
      const answer = await ask(`/primer?${query}`, { body: file });
      const { notes, beats_per_minute: tempo, left_out: left, cut } = await answer.json();
      editor.replace(notes.map(({ pitch, start_beat, duration_beats }) => ({ pitch, start: start_beat, length: duration_beats })));
      editor.showNotes();
      byId("tempo").value = tempo;
      const lost = left ? ` Left out: ${counted(left)} outside the model's pitches.` : "";
      tell(`${counted(notes.length)} of ${file.name}${cut ? `, its first ${editor.beats} beats` : ""}.${lost}`);
    } catch (error) {
      complain(error.message);
    } finally {
      byId("midi").value = "";
    }
  }

  // A note as it is drawn, heard at once.
  function sound(pitch) {
    const player = new Player({ notes: [[0, 0.3, pitch, 0.7]], seconds: 0.5 }, { onended: () => player.destroy() });
    player.play();
  }

  byId("model").addEventListener("change", chosen);
  byId("temperature").addEventListener("input", heat);
  byId("root").addEventListener("change", () => (byId("scale").disabled = byId("root").value === ""));
  byId("note-length").addEventListener("change", () => (editor.newLength = Number(byId("note-length").value)));
  byId("room").addEventListener("change", () => {
    if (byId("room").checkValidity()) editor.setRoom(Number(byId("room").value));
  });
  byId("midi").addEventListener("change", bring);
  byId("undo").addEventListener("click", () => editor.undo());
  byId("clear").addEventListener("click", () => editor.replace([]));
  byId("new-seed").addEventListener("click", () => (byId("seed").value = newSeed()));
  byId("continue").addEventListener("click", write);
  byId("stop").addEventListener("click", stop);
  editor.onnote = sound;
  addEventListener("pagehide", () => writing?.abort());
  fill();
})();
