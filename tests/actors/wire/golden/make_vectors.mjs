// Writes from_client.json and to_client.json: bytes that a client of npm's rivetkit sent, and what it made of our bytes.
//
// node make_vectors.mjs < frames.json, where frames.json is from frames.py.
import { readFileSync, writeFileSync } from "node:fs";
import { createClient } from "rivetkit/client";
import { describe } from "../../../support/javascript/values.mjs";
import { openGateway } from "./gateway.mjs";
import { values } from "./values.mjs";

process.env.RIVET_LOG_LEVEL = "silent";
const ours = JSON.parse(readFileSync(0, "utf8"));
const gateway = await openGateway();
const fromClient = [];
const toClient = [];

function bytes(text, encoding) {
  return encoding === "json" ? text : Buffer.from(text, "hex");
}

function recorded(encoding, data) {
  return encoding === "json" ? data.toString() : data.toString("hex");
}

async function failure(promise) {
  try {
    await promise;
  } catch ({ group, code, message, metadata, actor }) {
    return { group, code, message, metadata: describe(metadata), actor: actor ?? null };
  }
  throw new Error("the call did not fail");
}

for (const [encoding, frames] of Object.entries(ours)) {
  gateway.isText = encoding === "json";
  gateway.init = bytes(frames.init, encoding);
  const type = gateway.isText ? "application/json" : "application/octet-stream";
  const client = createClient({ endpoint: gateway.endpoint, encoding, disableMetadataLookup: true, devtools: false });
  const handle = client.room.get(["key"]);
  const live = handle.connect();
  await live.ready;

  // What it sends.
  let id = 0;
  for (const [name, value] of Object.entries(values)) {
    let body;
    gateway.onRequest = (data) => {
      body = recorded(encoding, data);
      return { type, body: bytes(frames.outputs[0].bytes, encoding) };
    };
    await handle.action({ name: "take", args: [value] });
    const frame = await new Promise((resolve) => {
      gateway.onMessage = (data) => resolve(recorded(encoding, data));
      live.action({ name: "take", args: [value] }).catch(() => {});
    });
    fromClient.push({ encoding, name, args: describe([value]), id: id++, body, frame });
  }
  const subscribed = new Promise((resolve) => (gateway.onMessage = (data) => resolve(recorded(encoding, data))));
  let onEvent;
  live.on("changed", (...args) => onEvent(describe(args)));
  fromClient.push({ encoding, name: "subscription", frame: await subscribed });

  // What it gets.
  for (const { name, bytes: text } of frames.events) {
    const args = await new Promise((resolve) => {
      onEvent = resolve;
      gateway.socket.send(bytes(text, encoding), { binary: !gateway.isText });
    });
    toClient.push({ encoding, kind: "event", name, bytes: text, javascript: args });
  }
  for (const { name, bytes: text } of frames.outputs) {
    gateway.onRequest = () => ({ type, body: bytes(text, encoding) });
    const javascript = describe(await handle.action({ name: "take", args: [] }));
    toClient.push({ encoding, kind: "output", name, bytes: text, javascript });
  }
  for (const { name, bytes: text } of frames.errors) {
    gateway.onRequest = () => ({ status: 400, type, body: bytes(text, encoding) });
    toClient.push({ encoding, kind: "error", name, bytes: text, javascript: await failure(handle.action({ name: "take", args: [] })) });
  }
  // A connection of its own, whose ids begin at 0.
  const other = handle.connect();
  await other.ready;
  for (const { name, bytes: text, fails } of frames.answers) {
    gateway.onMessage = () => gateway.socket.send(bytes(text, encoding), { binary: !gateway.isText });
    const call = other.action({ name: "take", args: [] });
    const javascript = fails ? await failure(call) : describe(await call);
    toClient.push({ encoding, kind: "answer", name, bytes: text, javascript });
  }
}

const write = (name, vectors) => writeFileSync(name, `[\n${vectors.map((vector) => JSON.stringify(vector)).join(",\n")}\n]\n`);
write("from_client.json", fromClient);
write("to_client.json", toClient);
process.exit(0);
