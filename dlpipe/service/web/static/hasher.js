// A worker: gets a file, posts {read: bytes} while it reads and {digest} or {error} at its end.

import {Sha256} from "./sha256.js";

const STEP = 8 << 20;

onmessage = async ({data: file}) => {
  try {
    const hash = new Sha256();
    for (let at = 0; at < file.size; at += STEP) {
      hash.update(new Uint8Array(await file.slice(at, at + STEP).arrayBuffer()));
      postMessage({read: Math.min(at + STEP, file.size)});
    }
    postMessage({digest: hash.digest()});
  } catch (error) {
    postMessage({error: String(error.message ?? error)});
  }
};
