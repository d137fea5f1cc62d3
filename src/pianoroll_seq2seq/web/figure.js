// A piece to look at and to listen to: the roll of roll.js over the controls of the player of player.js.
// All text goes in as text, so that a piece may bear any name.

function mountMusic(element, music, { downloads = [] } = {}) {
  const make = (tag, properties, parent) => parent.appendChild(Object.assign(document.createElement(tag), properties));
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  const group = make("div", { className: "pr-figure" }, element);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", music.name || "Music");
  group.dataset.lmSuppressShortcuts = ""; // JupyterLab would take the arrow keys for itself
  const view = new RollView(group, music);
  const player = new Player(music, { onended: () => show() });

  const controls = make("div", { className: "pr-controls" }, group);
  const button = make("button", { type: "button", className: "pr-play" }, controls);
  const seek = make("input", { type: "range", min: 0, step: 0.1, value: 0, className: "pr-seek" }, controls);
  seek.setAttribute("aria-label", "Position");
  const time = make("span", { className: "pr-time" }, controls);
  const tempoLabel = make("label", { textContent: "Tempo " }, controls);
  const tempo = make("input", { type: "range", min: 0.5, max: 2, step: 0.05, value: 1, className: "pr-tempo" }, tempoLabel);
  const factor = make("span", { className: "pr-factor" }, tempoLabel);
  factor.setAttribute("aria-hidden", "true"); // the slider says it
  const loopLabel = make("label", {}, controls);
  const loop = make("input", { type: "checkbox", className: "pr-loop" }, loopLabel);
  loopLabel.append(" Loop");
  for (const { label, href, filename } of downloads) {
    make("a", { className: "pr-download", href, download: filename, textContent: label }, controls);
  }

  // What the player does, shown; again with each picture while it plays.
  function show() {
    const { position, seconds, playing } = player;
    const name = playing ? "Pause" : "Play";
    if (button.textContent !== name) button.textContent = name;
    seek.max = seconds;
    seek.value = position;
    const said = `${clock(position)} / ${clock(seconds)}`;
    if (time.textContent !== said) {
      time.textContent = said;
      seek.setAttribute("aria-valuetext", `${clock(position)} of ${clock(seconds)}`);
    }
    view.draw(position);
    if (!group.isConnected) player.pause(); // a notebook's cell was run again
  }

  function follow() {
    show();
    if (player.playing) requestAnimationFrame(follow);
  }

  function go(seconds) {
    player.seek(seconds);
    show();
  }

  button.addEventListener("click", () => {
    if (player.playing) player.pause();
    else player.play();
    follow();
  });
  view.seekHandler = go;
  seek.addEventListener("input", () => go(Number(seek.value)));
  seek.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    go(player.position + steps[event.key]);
  });
  tempo.addEventListener("input", () => {
    player.tempo = Number(tempo.value);
    tell();
  });
  loop.addEventListener("change", () => (player.loop = loop.checked));

  function tell() {
    factor.textContent = `× ${player.tempo.toFixed(2)}`;
    tempo.setAttribute("aria-valuetext", `${player.tempo.toFixed(2)} times`);
  }

  tell();
  show();
  return { player, view };
}
