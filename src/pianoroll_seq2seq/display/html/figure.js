// A piece to look at and to listen to: the roll of roll.js above the controls of the player of player.js.
// All text is inserted as text, so that a piece may have any name.

function mountPlayer(element, data, { downloads = [] } = {}) {
  const make = (tag, properties, parent) => parent.appendChild(Object.assign(document.createElement(tag), properties));
  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  const group = make("div", { className: "pr-figure" }, element);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", data.name || "Music");
  group.dataset.lmSuppressShortcuts = ""; // keeps JupyterLab from handling the arrow keys
  const view = new RollView(group, data);
  const named = (data.parts ?? []).filter((part) => part.colour);
  if (named.length) {
    const list = make("ul", { className: "pr-parts" }, group);
    for (const part of named) {
      const item = make("li", {}, list);
      make("span", {}, item).style.background = part.colour;
      item.append(part.name);
    }
  }
  const player = new Player(data, { onended: () => show() });

  const controls = make("div", { className: "pr-controls" }, group);
  const button = make("button", { type: "button", className: "pr-play" }, controls);
  const seek = make("input", { type: "range", min: 0, step: 0.1, value: 0, className: "pr-seek" }, controls);
  seek.setAttribute("aria-label", "Position");
  const time = make("span", { className: "pr-time" }, controls);
  const tempoLabel = make("label", { textContent: "Tempo " }, controls);
  const tempo = make("input", { type: "range", min: 0.5, max: 2, step: 0.05, value: 1, className: "pr-tempo" }, tempoLabel);
  const factor = make("span", { className: "pr-factor" }, tempoLabel);
  factor.setAttribute("aria-hidden", "true"); // the slider has the same value
  const loopLabel = make("label", {}, controls);
  const loop = make("input", { type: "checkbox", className: "pr-loop" }, loopLabel);
  loopLabel.append(" Loop");
  for (const { label, href, filename } of downloads) {
    make("a", { className: "pr-download", href, download: filename, textContent: label }, controls);
  }

  // Updates the controls; called with each animation frame while it plays.
  function show() {
    const { position, seconds, playing } = player;
    const label = playing ? "Pause" : "Play";
    if (button.textContent !== label) button.textContent = label;
    seek.max = seconds;
    seek.value = position;
    const clockText = `${clock(position)} / ${clock(seconds)}`;
    if (time.textContent !== clockText) {
      time.textContent = clockText;
      seek.setAttribute("aria-valuetext", `${clock(position)} of ${clock(seconds)}`);
    }
    view.draw(position);
    if (!group.isConnected) player.pause(); // the notebook cell was run again
  }

  function animate() {
    show();
    if (player.playing) requestAnimationFrame(animate);
  }

  function seekTo(seconds) {
    player.seek(seconds);
    show();
  }

  button.addEventListener("click", () => {
    if (player.playing) player.pause();
    else player.play();
    animate();
  });
  view.seekHandler = seekTo;
  seek.addEventListener("input", () => seekTo(Number(seek.value)));
  seek.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    seekTo(player.position + steps[event.key]);
  });
  tempo.addEventListener("input", () => {
    player.tempo = Number(tempo.value);
    showTempo();
  });
  loop.addEventListener("change", () => (player.loop = loop.checked));

  function showTempo() {
    factor.textContent = `× ${player.tempo.toFixed(2)}`;
    tempo.setAttribute("aria-valuetext", `${player.tempo.toFixed(2)} times`);
  }

  showTempo();
  show();
  return { player, view };
}
