// Writes v3.json and v7.json: messages, and the bytes that @bare-ts makes of them. README.md says how to run it.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { transform } from "@bare-ts/tools"
import * as engineProtocol from "@rivetkit/engine-runner-protocol"
import * as v3 from "./v3.mjs"
import * as v7 from "./v7.mjs"

const here = (path) => new URL(path, import.meta.url)
const schema = (name) => readFileSync(here(`../../../protocol/${name}.bare`), "utf8")
const hex = (buffer) => Buffer.from(buffer).toString("hex")

mkdirSync(here("node_modules/.vectors"), { recursive: true })

async function compiled(version) {
    // The compiled schema has to lie where it can import @bare-ts/lib.
    const module = here(`node_modules/.vectors/${version}.mjs`)
    // "legacy" lets the common part mention types that only the version's part defines.
    const options = { generator: "js", legacy: true }
    writeFileSync(module, transform(`${schema("common")}\n${schema(version)}`, options))
    return import(module)
}

function describe(value) {
    if (typeof value === "bigint") return { int: String(value) }
    if (value instanceof ArrayBuffer) return { data: hex(value) }
    if (value instanceof Map) return { map: [...value].map(([key, entry]) => [key, describe(entry)]) }
    if (Array.isArray(value)) return value.map(describe)
    if (value === null || typeof value !== "object") return value
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, describe(field)]))
}

function check(codec, union, name, message, encoded) {
    const encode = codec[`encode${union}`]
    if (hex(encode(message)) !== encoded) throw new Error(`${name}: another implementation makes other bytes`)
    const decoded = codec[`decode${union}`](new Uint8Array(Buffer.from(encoded, "hex")))
    if (hex(encode(decoded)) !== encoded) throw new Error(`${name}: does not survive a round trip`)
}

async function write(version, source, others) {
    const codec = await compiled(version)
    const unions = {
        ToServer: source.toServer(codec),
        ToClient: source.toClient(codec),
        ToServerlessServer: source.toServerlessServer(codec),
    }
    const lines = []
    for (const [union, messages] of Object.entries(unions)) {
        for (const [name, message] of Object.entries(messages)) {
            const encoded = hex(codec[`encode${union}`](message))
            for (const other of [codec, ...others]) check(other, union, name, message, encoded)
            lines.push(JSON.stringify({ name, union, message: describe(message), bytes: encoded }))
        }
    }
    writeFileSync(here(`${version}.json`), `[\n${lines.join(",\n")}\n]\n`)
    console.log(`${version}: ${lines.length} vectors written`)
}

await write("v3", v3, [])
// The protocol's own package is made of the engine's schema, and speaks this version.
await write("v7", v7, [engineProtocol])
