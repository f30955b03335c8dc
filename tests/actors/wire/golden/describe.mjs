// A value of JavaScript in JSON, with its exact type.
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
