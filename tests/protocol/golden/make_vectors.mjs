// Writes v3.json: messages of protocol/v3.bare, and the bytes that @bare-ts makes of them. README.md says how to run it.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { transform } from "@bare-ts/tools"

const here = (path) => new URL(path, import.meta.url)

// The compiled schema has to lie where it can import @bare-ts/lib.
const compiled = here("node_modules/.vectors/v3.mjs")
mkdirSync(here("node_modules/.vectors"), { recursive: true })
writeFileSync(compiled, transform(readFileSync(here("../../../protocol/v3.bare"), "utf8"), { generator: "js" }))
const v3 = await import(compiled)

const I64_MIN = -(2n ** 63n)
const I64_MAX = 2n ** 63n - 1n
const U64_MAX = 2n ** 64n - 1n
const U32_MAX = 2 ** 32 - 1
const U16_MAX = 2 ** 16 - 1
const UNICODE = "größe 東京 🦀 \u0000 e\u0301"

const text = (string) => new TextEncoder().encode(string).buffer
const bytes = (...values) => new Uint8Array(values).buffer
// Not constant, so that a part that is moved or repeated shows.
const long = (length) => Uint8Array.from({ length }, (_, position) => (position * 7) % 251).buffer
const empty = bytes()

const member = (tag, val = null) => ({ tag, val })
const messageId = (messageIndex) => ({
    gatewayId: bytes(0x00, 0x01, 0xfe, 0xff),
    requestId: text("req1"),
    messageIndex,
})

// ---------------------------------------------------------------- ToServer

const init = (fields) =>
    member("ToServerInit", {
        name: "pool",
        version: 1,
        totalSlots: 100000,
        lastCommandIdx: null,
        prepopulateActorNames: null,
        metadata: null,
        ...fields,
    })

const stopped = (code, message) => member("ActorStateStopped", { code, message })
const intent = (tag) => member("EventActorIntent", { actorId: "a", generation: 1, intent: member(tag) })
const state = (inner) => member("EventActorStateUpdate", { actorId: UNICODE, generation: U32_MAX, state: inner })
const alarm = (alarmTs) => member("EventActorSetAlarm", { actorId: "", generation: 0, alarmTs })
const events = (...inners) =>
    member("ToServerEvents", inners.map((inner, position) => ({ index: BigInt(position), inner })))

const kv = (tag, val = null, requestId = 7) =>
    member("ToServerKvRequest", { actorId: "actor-1", requestId, data: member(tag, val) })
const kvList = (query, reverse = null, limit = null) => kv("KvListRequest", { query, reverse, limit })
const range = (exclusive) => member("KvListRangeQuery", { start: bytes(0), end: bytes(0xff, 0xff), exclusive })

const fromRunner = (tag, val = null, index = 0) =>
    member("ToServerTunnelMessage", { messageId: messageId(index), messageKind: member(tag, val) })
const response = (fields) =>
    fromRunner("ToServerResponseStart", {
        status: 200,
        headers: new Map(),
        body: null,
        stream: false,
        ...fields,
    })

// Neither sorted nor in reverse, so that an encoder that reorders shows.
const HEADERS = new Map([
    ["x-second", "2"],
    ["content-type", "text/plain; charset=utf-8"],
    ["", ""],
    ["a-first", UNICODE],
    ["x-long", "v".repeat(300)],
])

const toServer = {
    "init with nothing optional": init({ name: "", version: 0, totalSlots: 0 }),
    "init with everything": init({
        name: UNICODE,
        version: U32_MAX,
        totalSlots: U32_MAX,
        lastCommandIdx: I64_MIN,
        prepopulateActorNames: new Map([
            ["zebra", { metadata: "{}" }],
            ["apple", { metadata: '{"icon":"🦀"}' }],
            ["", { metadata: "" }],
        ]),
        metadata: '{"key":[1,2.5,null]}',
    }),
    "init with empty optionals": init({ lastCommandIdx: 0n, prepopulateActorNames: new Map(), metadata: "" }),
    "init with a name of 127 bytes": init({ name: "n".repeat(127) }),
    "init with a name of 128 bytes": init({ name: "n".repeat(128) }),
    "no events": events(),
    "events of every kind": events(
        intent("ActorIntentSleep"),
        intent("ActorIntentStop"),
        state(member("ActorStateRunning")),
        state(stopped(v3.StopCode.Ok, null)),
        state(stopped(v3.StopCode.Error, "")),
        state(stopped(v3.StopCode.Error, UNICODE)),
        alarm(null),
        alarm(0n),
        alarm(I64_MIN),
        alarm(I64_MAX),
    ),
    "events with the outermost indexes": member("ToServerEvents", [
        { index: I64_MIN, inner: alarm(null) },
        { index: -1n, inner: alarm(null) },
        { index: I64_MAX, inner: alarm(null) },
    ]),
    "200 events": events(...Array.from({ length: 200 }, () => alarm(-1n))),
    "ack of command 0": member("ToServerAckCommands", { lastCommandIdx: 0n }),
    "ack of command -1": member("ToServerAckCommands", { lastCommandIdx: -1n }),
    "ack of the last command": member("ToServerAckCommands", { lastCommandIdx: I64_MAX }),
    stopping: member("ToServerStopping"),
    ping: member("ToServerPing", { ts: 1700000000123n }),
    "ping before time": member("ToServerPing", { ts: I64_MIN }),
    "kv get of nothing": kv("KvGetRequest", { keys: [] }, 0),
    "kv get": kv("KvGetRequest", { keys: [empty, text("count"), long(128), long(300)] }, U32_MAX),
    "kv list all": kvList(member("KvListAllQuery")),
    "kv list a range": kvList(range(true), true, 0n),
    "kv list a range with its end": kvList(range(false), false, U64_MAX),
    "kv list a prefix": kvList(member("KvListPrefixQuery", { key: text("p/") }), null, 128n),
    "kv put": kv("KvPutRequest", { keys: [text("a"), text("b")], values: [empty, long(200)] }),
    "kv delete": kv("KvDeleteRequest", { keys: [text("a")] }),
    "kv drop": kv("KvDropRequest"),
    "runner tunnel ack": fromRunner("DeprecatedTunnelAck", null, U16_MAX),
    "response without headers": response({}),
    "response with everything": response({ status: U16_MAX, headers: HEADERS, body: long(200), stream: true }),
    "response with an empty body": response({ status: 0, body: empty }),
    "response chunk": fromRunner("ToServerResponseChunk", { body: long(127), finish: false }, 1),
    "last response chunk": fromRunner("ToServerResponseChunk", { body: empty, finish: true }, 2),
    "response abort": fromRunner("ToServerResponseAbort"),
    "websocket open that can hibernate": fromRunner("ToServerWebSocketOpen", { canHibernate: true }),
    "websocket open": fromRunner("ToServerWebSocketOpen", { canHibernate: false }),
    "text from the runner": fromRunner("ToServerWebSocketMessage", { data: text(UNICODE), binary: false }, 255),
    "128 bytes from the runner": fromRunner("ToServerWebSocketMessage", { data: long(128), binary: true }, 256),
    "16384 bytes from the runner": fromRunner("ToServerWebSocketMessage", { data: long(16384), binary: true }, U16_MAX),
    "websocket ack": fromRunner("ToServerWebSocketMessageAck", { index: 0 }, 32768),
    "websocket ack before the wrap": fromRunner("ToServerWebSocketMessageAck", { index: U16_MAX }),
    "runner closes with nothing": fromRunner("ToServerWebSocketClose", { code: null, reason: null, hibernate: true }),
    "runner closes with everything": fromRunner("ToServerWebSocketClose", {
        code: U16_MAX,
        reason: UNICODE,
        hibernate: false,
    }),
    "runner closes with a code": fromRunner("ToServerWebSocketClose", { code: 0, reason: null, hibernate: false }),
    "runner closes with a reason": fromRunner("ToServerWebSocketClose", { code: null, reason: "", hibernate: false }),
}

// ---------------------------------------------------------------- ToClient

const start = (fields, config) =>
    member("CommandStartActor", {
        actorId: "actor-1",
        generation: 1,
        config: { name: "counter", key: null, createTs: 0n, input: null, ...config },
        hibernatingRequests: [],
        ...fields,
    })
const commands = (...inners) =>
    member("ToClientCommands", inners.map((inner, position) => ({ index: BigInt(position), inner })))

const kvAnswer = (tag, val = null, requestId = 7) =>
    member("ToClientKvResponse", { requestId, data: member(tag, val) })
const entries = {
    keys: [empty, text("count")],
    values: [long(200), empty],
    metadata: [
        { version: text("v1"), createTs: I64_MIN },
        { version: empty, createTs: I64_MAX },
    ],
}
const nothing = { keys: [], values: [], metadata: [] }

const fromGateway = (tag, val = null, index = 0) =>
    member("ToClientTunnelMessage", { messageId: messageId(index), messageKind: member(tag, val) })
const request = (fields) =>
    fromGateway("ToClientRequestStart", {
        actorId: "actor-1",
        method: "GET",
        path: "/",
        headers: new Map(),
        body: null,
        stream: false,
        ...fields,
    })

const clientInit = (runnerId, lastEventIdx, runnerLostThreshold) =>
    member("ToClientInit", { runnerId, lastEventIdx, metadata: { runnerLostThreshold } })

const toClient = {
    "client init": clientInit("runner-1", -1n, 15000n),
    "client init at the limits": clientInit(UNICODE, I64_MAX, I64_MIN),
    close: member("ToClientClose"),
    "no commands": commands(),
    "commands of every kind": commands(
        start({}, {}),
        start(
            {
                generation: U32_MAX,
                hibernatingRequests: [
                    { gatewayId: bytes(0, 0, 0, 0), requestId: bytes(0xff, 0xff, 0xff, 0xff) },
                    { gatewayId: text("gate"), requestId: text("req1") },
                ],
            },
            { name: UNICODE, key: UNICODE, createTs: I64_MAX, input: long(300) },
        ),
        start({ actorId: "", generation: 0 }, { name: "", key: "", createTs: I64_MIN, input: empty }),
        member("CommandStopActor", { actorId: "actor-1", generation: 2 }),
    ),
    "130 commands": commands(
        ...Array.from({ length: 130 }, (_, generation) => member("CommandStopActor", { actorId: "a", generation })),
    ),
    "ack of event 0": member("ToClientAckEvents", { lastEventIdx: 0n }),
    "ack of the last event": member("ToClientAckEvents", { lastEventIdx: I64_MAX }),
    "kv error": kvAnswer("KvErrorResponse", { message: UNICODE }, 0),
    "kv get of no entries": kvAnswer("KvGetResponse", nothing, U32_MAX),
    "kv get of entries": kvAnswer("KvGetResponse", entries),
    "kv list of no entries": kvAnswer("KvListResponse", nothing),
    "kv list of entries": kvAnswer("KvListResponse", entries),
    "kv put done": kvAnswer("KvPutResponse"),
    "kv delete done": kvAnswer("KvDeleteResponse"),
    "kv drop done": kvAnswer("KvDropResponse"),
    "gateway tunnel ack": fromGateway("DeprecatedTunnelAck"),
    "request with nothing": request({ actorId: "", method: "", path: "" }),
    "request with everything": request({
        method: "POST",
        path: `/${"p".repeat(200)}?q=%20${UNICODE}`,
        headers: HEADERS,
        body: long(128),
        stream: true,
    }),
    "request with an empty body": request({ body: empty }),
    "request chunk": fromGateway("ToClientRequestChunk", { body: long(16384), finish: false }, 1),
    "last request chunk": fromGateway("ToClientRequestChunk", { body: empty, finish: true }, U16_MAX),
    "request abort": fromGateway("ToClientRequestAbort"),
    "client opens a websocket": fromGateway("ToClientWebSocketOpen", {
        actorId: "actor-1",
        path: "/ws?room=1",
        headers: HEADERS,
    }),
    "text from a client": fromGateway("ToClientWebSocketMessage", { data: text(UNICODE), binary: false }, 1),
    "nothing from a client": fromGateway("ToClientWebSocketMessage", { data: empty, binary: true }, 2),
    "127 bytes from a client": fromGateway("ToClientWebSocketMessage", { data: long(127), binary: true }, 32767),
    "128 bytes from a client": fromGateway("ToClientWebSocketMessage", { data: long(128), binary: true }, U16_MAX),
    "client closes with nothing": fromGateway("ToClientWebSocketClose", { code: null, reason: null }),
    "client closes with everything": fromGateway("ToClientWebSocketClose", { code: 4999, reason: UNICODE }),
}

const toServerlessServer = {
    "serverless init": member("ToServerlessServerInit", { runnerId: "runner-1" }),
    "serverless init with a long id": member("ToServerlessServerInit", { runnerId: "r".repeat(130) }),
}

// ---------------------------------------------------------------- output

const hex = (buffer) => Buffer.from(buffer).toString("hex")

function describe(value) {
    if (typeof value === "bigint") return { int: String(value) }
    if (value instanceof ArrayBuffer) return { data: hex(value) }
    if (value instanceof Map) return { map: [...value].map(([key, entry]) => [key, describe(entry)]) }
    if (Array.isArray(value)) return value.map(describe)
    if (value === null || typeof value !== "object") return value
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, describe(field)]))
}

const vectors = []
for (const [union, messages] of Object.entries({ ToServer: toServer, ToClient: toClient, ToServerlessServer: toServerlessServer })) {
    const encode = v3[`encode${union}`]
    const decode = v3[`decode${union}`]
    for (const [name, message] of Object.entries(messages)) {
        const encoded = hex(encode(message))
        if (hex(encode(decode(encode(message)))) !== encoded) throw new Error(`${name}: does not survive a round trip`)
        vectors.push({ name, union, message: describe(message), bytes: encoded })
    }
}
const lines = vectors.map((vector) => JSON.stringify(vector))
writeFileSync(here("v3.json"), `[\n${lines.join(",\n")}\n]\n`)
console.log(`${vectors.length} vectors written`)
