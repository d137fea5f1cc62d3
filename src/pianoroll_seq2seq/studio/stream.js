// What the page asks the studio's server for.

const PAGE = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// Sends a request; an answer that refuses it is thrown as an error with the one line that says why.
async function ask(address, { signal, ...sent }) {
  let answer;
  try {
    answer = await fetch(address, { method: "POST", headers: { "X-Studio-Page": PAGE }, signal, ...sent });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The studio does not answer. Is it still running?");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => null);
  throw new Error(told?.error?.message ?? `The studio answered ${answer.status}.`);
}

// The lines of JSON of an answer, as they come.
async function* linesOf(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let part;
    try {
      part = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The studio stopped answering in the middle of the piece.");
    }
    if (part.done) return;
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}
