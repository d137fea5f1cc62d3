// Opening and saving: files that are chosen or dropped, files that are saved or dragged out.

import { html } from "../shared/elements.js";
import { button, field, select } from "./form.js";
import type { Page } from "./page.js";
import type { Piece } from "./piece.js";
import { pictureOf } from "./picture.js";
import { openedFile } from "./protocol.js";
import { readSession, sessionText } from "./saved.js";
import { opening, openSession } from "./session.js";
import { bringsFiles, downloadUrl, exported, fileName, isSessionFile, kindOf, KINDS, pieceName, type SaveFormat } from "./share.js";
import { isAbort, messageOf, post, whole } from "./stream.js";
import { countNotes } from "./takes.js";

const ACCEPTED = ".mid,.midi,.musicxml,.xml,.mxl,.json,audio/midi";

export function mountFiles(root: HTMLElement, page: Page): void {
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Files");
  const bar = html("div", "bar", root);
  mountOpen(bar, page);
  mountSave(bar, page);
  mountDrag(bar, page);
}

async function attempt(page: Page, act: () => Promise<string>): Promise<void> {
  page.error("");
  try {
    page.status(await act());
  } catch (error) {
    if (!isAbort(error)) page.error(messageOf(error));
  }
}

/** Opens a file: a session here, music by the server. Returns what happened, in words. */
async function open(file: File, page: Page): Promise<string> {
  const { settings, store, choices } = page;
  const signal = opening.next();
  if (file.size > settings.max_file_bytes) throw new Error(`${file.name}: ${file.size} bytes; the limit is ${settings.max_file_bytes}.`);
  const name = pieceName(file.name);
  if (isSessionFile(file)) {
    const { session, changes } = readNamed(file.name, await file.text(), page);
    signal.throwIfAborted();
    openSession(page, session);
    choices.name = session.name;
    return [`${file.name} is open, with its settings.`, ...changes].join(" ");
  }
  const query = new URLSearchParams({ model: choices.model.name });
  const response = await post(`/open?${query}`, file, signal);
  const { piece, changes } = openedFile(await whole(response.json()));
  signal.throwIfAborted();
  store.change(`Open ${name}`, piece);
  choices.name = name;
  return [`${file.name} is open: ${countNotes(piece.notes.length)}.`, ...changes].join(" ");
}

function readNamed(name: string, text: string, { settings }: Page): ReturnType<typeof readSession> {
  try {
    return readSession(text, settings);
  } catch (error) {
    throw new Error(`${name}: ${messageOf(error)}`);
  }
}

function mountOpen(bar: HTMLElement, page: Page): void {
  const input = Object.assign(document.createElement("input"), { id: "open-file", type: "file", accept: ACCEPTED });
  const label = html("label", "file", bar);
  label.append("Open a file", input);
  label.title = "MIDI, MusicXML, or a session of the studio. A file can also be dropped on the page.";
  input.addEventListener("change", () => {
    const [file] = input.files ?? [];
    if (file) void attempt(page, () => open(file, page)).then(() => (input.value = ""));
  });
  const mark = (on: boolean): boolean => document.body.classList.toggle("dropping", on);
  document.addEventListener("dragover", (event) => {
    if (!bringsFiles(event.dataTransfer?.types ?? [])) return;
    event.preventDefault();
    mark(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) mark(false);
  });
  document.addEventListener("drop", (event) => {
    mark(false);
    if (!bringsFiles(event.dataTransfer?.types ?? [])) return;
    event.preventDefault();
    const files = event.dataTransfer?.files;
    const file = files?.[0];
    if (files?.length !== 1 || !file) return page.error("Drop one file at a time.");
    void attempt(page, () => open(file, page));
  });
}

/** The piece as a file of some kind. */
async function fileOf(format: SaveFormat, { store, choices }: Page): Promise<Blob> {
  const { piece } = store;
  if (format === "png") return pictureOf(piece);
  if (format !== "json") return exported(format, piece);
  return new Blob([sessionText({ name: choices.name, piece, choices: choices.values })], { type: kindOf(format).type });
}

function download(blob: Blob, name: string): void {
  const href = URL.createObjectURL(blob);
  Object.assign(document.createElement("a"), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

function mountSave(bar: HTMLElement, page: Page): void {
  const kinds = KINDS.filter(({ isScore }) => !isScore || page.settings.scores === null);
  const format = field(bar, "Save as", select("save-format", null, kinds.map((kind) => [kind.format, kind.text])));
  if (page.settings.scores !== null) format.title = page.settings.scores;
  const save = button(bar, "save-file", "Save", () => {
    const kind = kindOf(format.value as SaveFormat);
    const name = fileName(page.choices.name, kind);
    save.setAttribute("aria-busy", "true");
    void attempt(page, async () => {
      download(await fileOf(kind.format, page), name);
      return `${name} is saved.`;
    }).then(() => save.removeAttribute("aria-busy"));
  });
}

/** A button that is dragged to a sequencer or a folder. A drag needs its file at once, so it is made before. */
function mountDrag(bar: HTMLElement, page: Page): void {
  let made: { piece: Piece; url: string } | null = null;
  let making: Piece | null = null;
  const kind = kindOf("mid");
  const prepare = async (): Promise<void> => {
    const { piece } = page.store;
    if (!piece.notes.length || made?.piece === piece || making === piece) return;
    making = piece;
    try {
      const blob = await exported("mid", piece);
      if (made) URL.revokeObjectURL(made.url);
      made = { piece, url: URL.createObjectURL(blob) };
    } catch (error) {
      page.error(messageOf(error));
    } finally {
      if (making === piece) making = null;
    }
  };
  const handle = button(bar, "drag-midi", "Drag out as MIDI", () => {
    void attempt(page, async () => {
      download(await exported("mid", page.store.piece), fileName(page.choices.name, kind));
      return `${fileName(page.choices.name, kind)} is saved.`;
    });
  });
  handle.draggable = true;
  handle.title = "Drag it to a sequencer or a folder (Chrome and Edge); a press saves the file.";
  for (const event of ["pointerenter", "pointerdown", "focus"]) handle.addEventListener(event, () => void prepare());
  handle.addEventListener("dragstart", (event) => {
    if (!event.dataTransfer || made?.piece !== page.store.piece) {
      event.preventDefault();
      return page.status(page.store.piece.notes.length ? "The file is being made. Drag again." : "There are no notes to save.");
    }
    event.dataTransfer.effectAllowed = "copy";
    event.dataTransfer.setData("DownloadURL", downloadUrl(kind.type, fileName(page.choices.name, kind), made.url));
  });
}
