// Values of JavaScript in JSON, with their exact types, and back. values.py is the same for Python.

export function describe(value) {
  if (value === undefined) return { undefined: true };
  if (typeof value === "bigint") return { bigint: value.toString() };
  if (typeof value === "number" && !Number.isFinite(value)) return { number: String(value) };
  if (value === null || typeof value !== "object") return value;
  if (value instanceof Date) return { date: value.toISOString() };
  if (value instanceof ArrayBuffer) return { arrayBuffer: Buffer.from(value).toString("hex") };
  if (value instanceof Uint8Array) return { uint8Array: Buffer.from(value).toString("hex") };
  if (ArrayBuffer.isView(value)) return { [value.constructor.name]: [...value].map(describe) };
  if (value instanceof Set) return { set: [...value].map(describe) };
  if (value instanceof Map) return { map: [...value].map(([key, item]) => [describe(key), describe(item)]) };
  if (Array.isArray(value)) return value.map(describe);
  return { object: Object.entries(value).map(([key, item]) => [key, describe(item)]) };
}

export function build(described) {
  if (described === null || typeof described !== "object") return described;
  if (Array.isArray(described)) return described.map(build);
  const [[kind, value]] = Object.entries(described);
  switch (kind) {
    case "undefined":
      return undefined;
    case "bigint":
      return BigInt(value);
    case "number":
      return Number(value);
    case "date":
      return new Date(value);
    case "uint8Array":
      return new Uint8Array(Buffer.from(value, "hex"));
    case "set":
      return new Set(value.map(build));
    case "map":
      return new Map(value.map(([key, item]) => [build(key), build(item)]));
    case "object":
      return Object.fromEntries(value.map(([key, item]) => [key, build(item)]));
  }
  throw new Error(`no value is described by ${kind}`);
}
