// Requests to the studio's server.

const PAGE_ID = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

// Sends a request. An error response is thrown as an Error with its message.
async function post(address, { signal, ...options }) {
  let response;
  try {
    response = await fetch(address, { method: "POST", headers: { "X-Studio-Page": PAGE_ID }, signal, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The studio does not answer. Is it still running?");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Error(body?.error?.message ?? `The studio answered with status ${response.status}.`);
}

// Yields the lines of JSON of a response as they arrive.
async function* jsonLines(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let chunk;
    try {
      chunk = await reader.read();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Error("The studio stopped answering in the middle of the piece.");
    }
    if (chunk.done) return;
    const lines = (rest + chunk.value).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}
