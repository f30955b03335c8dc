// Calls what a test asks for: node client.mjs FOLDER, where FOLDER is where npm installed rivetkit.
//
// Each line of the input is a call in JSON: {id, thing, path, args, keep, listen}. It calls the function at `path` of the thing
// with that number; thing 0 has createClient. With `keep`, the result becomes the thing with the number `id`. With `listen`, the
// function gets a callback as its last argument, and each call of it is a line {event: id, args}. Each call is answered with a
// line {id, value} or {id, error}, when it has ended: calls run side by side.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { build, describe } from "./values.mjs";

const folder = join(process.argv[2], "node_modules", "rivetkit");
const { exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
const { createClient } = await import(pathToFileURL(join(folder, exports["./client"].import.default)));

const things = new Map([[0, { createClient }]]);

function say(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function call({ id, thing, path, args, keep, listen }) {
  let owner = things.get(thing);
  for (const name of path.slice(0, -1)) owner = owner[name];
  const given = build(args);
  if (listen) given.push((...event) => say({ event: id, args: event.map(describeAny) }));
  const name = path.at(-1);
  let value = typeof owner[name] === "function" ? owner[name](...given) : owner[name];
  // A handle takes any name for an action: `then` too, if it were awaited.
  if (value instanceof Promise) value = await value;
  if (keep) things.set(id, value);
  return keep || listen ? null : await describeResult(value);
}

async function describeResult(value) {
  if (value instanceof Response) {
    const body = Buffer.from(await value.arrayBuffer()).toString("hex");
    return describe({ status: value.status, headers: Object.fromEntries(value.headers), body: Buffer.from(body, "hex") });
  }
  return describe(value);
}

// An argument of a callback.
function describeAny(value) {
  if (value instanceof Error) return describe(fields(value));
  // An event of a WebSocket, from Node.js or from a package.
  if (typeof value?.type === "string") return describe({ data: value.data, code: value.code, reason: value.reason });
  return typeof value === "function" ? null : describe(value);
}

function fields({ name, group, code, message, metadata, actor }) {
  return { name, group, code, message, metadata, actor };
}

process.on("unhandledRejection", (error) => say({ unhandled: describe(fields(error)) }));

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  call(request).then(
    (value) => say({ id: request.id, value }),
    (error) => say({ id: request.id, error: describe(fields(error)) }),
  );
}
process.exit(0);
