// The messages that every version has, whatever their bytes.

import { bytes, empty, HEADERS, I64_MAX, I64_MIN, long, member, text, U16_MAX, U32_MAX, U64_MAX, UNICODE } from "./values.mjs"

export const messageId = (messageIndex) => ({
    gatewayId: bytes(0x00, 0x01, 0xfe, 0xff),
    requestId: text("req1"),
    messageIndex,
})

// ---------------------------------------------------------------- ToServer

const fields = { name: "pool", version: 1, totalSlots: 100000, prepopulateActorNames: null, metadata: null }

/** `least` and `most` are the fields that only the version has, at both ends of what they can hold. */
export const inits = (least, most) => {
    const init = (given) => member("ToServerInit", { ...fields, ...least, ...given })
    return {
        "init with nothing optional": init({ name: "", version: 0, totalSlots: 0 }),
        "init with everything": init({
            ...most,
            name: UNICODE,
            version: U32_MAX,
            totalSlots: U32_MAX,
            prepopulateActorNames: new Map([
                ["zebra", { metadata: "{}" }],
                ["apple", { metadata: '{"icon":"🦀"}' }],
                ["", { metadata: "" }],
            ]),
            metadata: '{"key":[1,2.5,null]}',
        }),
        "init with empty optionals": init({ prepopulateActorNames: new Map(), metadata: "" }),
        "init with a name of 127 bytes": init({ name: "n".repeat(127) }),
        "init with a name of 128 bytes": init({ name: "n".repeat(128) }),
    }
}

export const sleepIntent = member("ActorIntentSleep")
export const stopIntent = member("ActorIntentStop")
export const running = member("ActorStateRunning")
export const stopped = (code, message) => member("ActorStateStopped", { code, message })

export const kv = (tag, val = null, requestId = 7) =>
    member("ToServerKvRequest", { actorId: "actor-1", requestId, data: member(tag, val) })
const kvList = (query, reverse = null, limit = null) => kv("KvListRequest", { query, reverse, limit })
const range = (exclusive) => member("KvListRangeQuery", { start: bytes(0), end: bytes(0xff, 0xff), exclusive })

export const fromRunner = (tag, val = null, index = 0) =>
    member("ToServerTunnelMessage", { messageId: messageId(index), messageKind: member(tag, val) })
const response = (given) =>
    fromRunner("ToServerResponseStart", { status: 200, headers: new Map(), body: null, stream: false, ...given })

export const toServer = {
    stopping: member("ToServerStopping"),
    "kv get of nothing": kv("KvGetRequest", { keys: [] }, 0),
    "kv get": kv("KvGetRequest", { keys: [empty, text("count"), long(128), long(300)] }, U32_MAX),
    "kv list all": kvList(member("KvListAllQuery")),
    "kv list a range": kvList(range(true), true, 0n),
    "kv list a range with its end": kvList(range(false), false, U64_MAX),
    "kv list a prefix": kvList(member("KvListPrefixQuery", { key: text("p/") }), null, 128n),
    "kv put": kv("KvPutRequest", { keys: [text("a"), text("b")], values: [empty, long(200)] }),
    "kv delete": kv("KvDeleteRequest", { keys: [text("a")] }),
    "kv drop": kv("KvDropRequest"),
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

export const config = (given) => ({ name: "counter", key: null, createTs: 0n, input: null, ...given })
export const fullConfig = { name: UNICODE, key: UNICODE, createTs: I64_MAX, input: long(300) }
export const emptyConfig = { name: "", key: "", createTs: I64_MIN, input: empty }
export const hibernatingRequests = [
    { gatewayId: bytes(0, 0, 0, 0), requestId: bytes(0xff, 0xff, 0xff, 0xff) },
    { gatewayId: text("gate"), requestId: text("req1") },
]

const kvAnswer = (tag, val = null, requestId = 7) =>
    member("ToClientKvResponse", { requestId, data: member(tag, val) })

/** `time` is what the version calls the time of an entry. */
export const kvAnswers = (time) => {
    const nothing = { keys: [], values: [], metadata: [] }
    const entries = {
        keys: [empty, text("count")],
        values: [long(200), empty],
        metadata: [
            { version: text("v1"), [time]: I64_MIN },
            { version: empty, [time]: I64_MAX },
        ],
    }
    return {
        "kv error": kvAnswer("KvErrorResponse", { message: UNICODE }, 0),
        "kv get of no entries": kvAnswer("KvGetResponse", nothing, U32_MAX),
        "kv get of entries": kvAnswer("KvGetResponse", entries),
        "kv list of no entries": kvAnswer("KvListResponse", nothing),
        "kv list of entries": kvAnswer("KvListResponse", entries),
        "kv put done": kvAnswer("KvPutResponse"),
        "kv delete done": kvAnswer("KvDeleteResponse"),
        "kv drop done": kvAnswer("KvDropResponse"),
    }
}

export const fromGateway = (tag, val = null, index = 0) =>
    member("ToClientTunnelMessage", { messageId: messageId(index), messageKind: member(tag, val) })
const request = (given) =>
    fromGateway("ToClientRequestStart", {
        actorId: "actor-1",
        method: "GET",
        path: "/",
        headers: new Map(),
        body: null,
        stream: false,
        ...given,
    })

export const toClient = {
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
