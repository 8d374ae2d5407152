// Weights of a page: from text inside it, or from a file beside it.

/** Characters that are decoded at once, a multiple of four; between slices the page can draw. */
const SLICE = 1 << 20;

/**
 * @param {string} text base64
 * @param {(done: number, all: number) => void} onProgress in bytes
 * @returns {Promise<Uint8Array>}
 */
export async function decodeBase64(text, onProgress) {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let at = 0;
  for (let start = 0; start < text.length; start += SLICE) {
    const part = atob(text.slice(start, start + SLICE));
    for (let index = 0; index < part.length; index++) bytes[at++] = part.charCodeAt(index);
    onProgress(at, bytes.length);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return bytes;
}

/**
 * @param {string} url
 * @param {(done: number, all: number) => void} onProgress in bytes
 * @returns {Promise<Uint8Array>}
 */
export async function fetchBytes(url, onProgress) {
  const response = await fetch(url).catch(() => null);
  if (!response || !response.ok || !response.body) {
    throw new Error(`${url} cannot be loaded; it needs a web server, and the file there`);
  }
  const all = Number(response.headers.get("content-length")) || 0;
  const reader = response.body.getReader();
  /** @type {Uint8Array[]} */
  const parts = [];
  let done = 0;
  for (;;) {
    const { value } = await reader.read();
    if (!value) break;
    parts.push(value);
    onProgress((done += value.length), all);
  }
  const bytes = new Uint8Array(done);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * @param {Program} program
 * @param {Uint8Array} bytes
 * @returns {Weights}
 */
export function splitWeights(program, bytes) {
  const size = program.precision === "fp16" ? 2 : 4;
  const expected = size * program.weights + 4 * program.biases;
  if (bytes.length !== expected) {
    throw new Error(`the weights have ${bytes.length} bytes, expected ${expected}; load the page again`);
  }
  const { buffer } = bytes.byteOffset % 4 ? bytes.slice() : bytes;
  const start = bytes.byteOffset % 4 ? 0 : bytes.byteOffset;
  const weights =
    size === 2
      ? new Uint16Array(buffer, start, program.weights)
      : new Float32Array(buffer, start, program.weights);
  return { program, weights, biases: new Float32Array(buffer, start + size * program.weights, program.biases) };
}
