// Files to the service, by their SHA-256: what it has is not sent again, and what broke off goes on where it stood.

import {Refused, ask, t} from "./common.js";

const PIECE = 8 << 20;
const TRIES = 6; // at one piece that does not get on
const AGAIN = [408, 409, 429, 502, 503, 504];

/** In hex. onRead(bytes) while it is read. */
export function digestOf(file, onRead = () => {}) {
  return new Promise((resolve, reject) => {
    const worker = new Worker("/static/hasher.js", {type: "module"});
    worker.onmessage = ({data}) => {
      if (data.read !== undefined) {
        onRead(data.read);
        return;
      }
      worker.terminate();
      if (data.digest) resolve(data.digest);
      else reject(new Error(t("{name} cannot be read: {why}", {name: file.name, why: data.error})));
    };
    worker.onerror = () => {
      worker.terminate();
      reject(new Error(t("{name} cannot be read: {why}", {name: file.name, why: "worker"})));
    };
    worker.postMessage(file);
  });
}

/** The service's word on what it has: bytes, or Infinity where it has all of it. */
async function received(digest) {
  const answer = await ask("POST", "/api/v1/uploads", {
    body: JSON.stringify({digests: [digest]}), headers: {"Content-Type": "application/json"},
  });
  return (await answer.json()).missing[digest] ?? Infinity;
}

/** onSent(bytes) while it is sent. Throws what the service refuses. */
export async function send(file, digest, onSent = () => {}) {
  let failed = 0;
  let stands = -1;
  for (;;) {
    try {
      let at = await received(digest);
      if (at === Infinity) {
        onSent(file.size);
        return;
      }
      if (at >= file.size) at = 0; // all of it is there unchecked
      failed = at > stands ? 0 : failed;
      stands = at;
      onSent(at);
      const end = Math.min(at + PIECE, file.size);
      const range = file.size > 0 ? {"Content-Range": `bytes ${at}-${end - 1}/${file.size}`} : {};
      await ask("PUT", `/api/v1/uploads/${digest}`, {
        body: file.slice(at, end), headers: {"Content-Type": "application/octet-stream", ...range},
      });
      onSent(end);
    } catch (error) {
      failed += 1;
      const passing = error instanceof TypeError || (error instanceof Refused && AGAIN.includes(error.status));
      if (!passing || failed >= TRIES) throw error;
      await new Promise((done) => setTimeout(done, 500 * 2 ** failed));
    }
  }
}
