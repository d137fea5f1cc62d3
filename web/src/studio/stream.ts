// Requests to the studio's server.

/** The id by which the server knows this page, and tells it from pages of other sites. */
const PAGE_ID = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Asks for a file of the server.
 *
 * @throws Error with the message of the server, or saying that it does not answer.
 */
export const get = (address: string): Promise<Response> => request(address, {});

/**
 * Sends a request.
 *
 * @throws Error with the message of the server, or saying that it does not answer.
 */
export const post = (address: string, body: BodyInit, signal: AbortSignal | null = null): Promise<Response> =>
  request(address, { method: "POST", headers: { "X-Studio-Page": PAGE_ID }, body, signal });

async function request(address: string, options: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Error("The studio does not answer. Is it still running?");
  }
  if (response.ok) return response;
  const answer: unknown = await response.json().catch(() => null);
  throw new Error(errorMessage(answer) ?? `The studio answered with status ${response.status}.`);
}

/**
 * The body of a response.
 *
 * @throws Error if the answer breaks off.
 */
export async function whole<Body>(body: Promise<Body>): Promise<Body> {
  try {
    return await body;
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Error("The studio stopped answering in the middle of its answer.");
  }
}

/** Requests of which only the last one counts: each of them ends the one before. */
export class Latest {
  #controller: AbortController | null = null;

  next(): AbortSignal {
    this.#controller?.abort();
    this.#controller = new AbortController();
    return this.#controller.signal;
  }
}

function errorMessage(answer: unknown): string | null {
  const error = (answer as { error?: { message?: unknown } } | null)?.error;
  return typeof error?.message === "string" ? error.message : null;
}

/**
 * Yields the lines of JSON of a response as they arrive.
 *
 * @throws Error if the answer breaks off, or a line is not JSON.
 */
export async function* jsonLines(body: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await next(reader);
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) yield parsed(line);
      if (done) break;
    }
    if (rest.trim()) yield parsed(rest);
  } finally {
    reader.cancel().catch(() => undefined); // a response that is not read to its end
  }
}

async function next(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Error("The studio stopped answering in the middle of the piece.");
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Error("The studio stopped answering in the middle of the piece.");
  }
}
