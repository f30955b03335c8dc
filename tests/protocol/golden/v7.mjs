// The messages of version 7 that other versions do not have, or spell otherwise.

import * as common from "./common.mjs"
import { empty, I64_MAX, I64_MIN, long, member, text, U16_MAX, U32_MAX, UNICODE } from "./values.mjs"

const checkpoint = (index, actorId = "actor-1", generation = 1) => ({ actorId, generation, index })
const outermost = [
    checkpoint(I64_MIN, "", 0),
    checkpoint(-1n, UNICODE, U32_MAX),
    checkpoint(0n, "a".repeat(127)),
    checkpoint(I64_MAX, "a".repeat(128)),
]
const numbered = (inners) => inners.map((inner, position) => ({ checkpoint: checkpoint(BigInt(position)), inner }))
const placed = (inner) => outermost.map((place) => ({ checkpoint: place, inner }))

export const toServer = ({ StopCode }) => {
    const intent = (inner) => member("EventActorIntent", { intent: inner })
    const state = (inner) => member("EventActorStateUpdate", { state: inner })
    const alarm = (alarmTs) => member("EventActorSetAlarm", { alarmTs })
    const ack = (lastCommandCheckpoints) => member("ToServerAckCommands", { lastCommandCheckpoints })
    return {
        ...common.inits({}, {}),
        "no events": member("ToServerEvents", []),
        "events of every kind": member(
            "ToServerEvents",
            numbered([
                intent(common.sleepIntent),
                intent(common.stopIntent),
                state(common.running),
                state(common.stopped(StopCode.Ok, null)),
                state(common.stopped(StopCode.Error, "")),
                state(common.stopped(StopCode.Error, UNICODE)),
                alarm(null),
                alarm(0n),
                alarm(I64_MIN),
                alarm(I64_MAX),
            ]),
        ),
        "events with the outermost checkpoints": member("ToServerEvents", placed(alarm(null))),
        "200 events": member("ToServerEvents", numbered(Array.from({ length: 200 }, () => alarm(-1n)))),
        "ack of no commands": ack([]),
        "ack of a command": ack([checkpoint(0n)]),
        "ack of the outermost commands": ack(outermost),
        pong: member("ToServerPong", { ts: 1700000000123n }),
        "pong before time": member("ToServerPong", { ts: I64_MIN }),
        "kv delete a range": common.kv("KvDeleteRangeRequest", { start: text("a"), end: long(300) }),
        "kv delete an empty range": common.kv("KvDeleteRangeRequest", { start: empty, end: empty }, U32_MAX),
        ...common.toServer,
    }
}

export const toClient = () => {
    const start = (config, hibernatingRequests = []) => member("CommandStartActor", { config, hibernatingRequests })
    const stop = member("CommandStopActor")
    const ack = (lastEventCheckpoints) => member("ToClientAckEvents", { lastEventCheckpoints })
    const init = (runnerId, ...times) => {
        const [runnerLostThreshold, actorStopThreshold, serverlessDrainGracePeriod] = times
        const metadata = { runnerLostThreshold, actorStopThreshold, serverlessDrainGracePeriod }
        return member("ToClientInit", { runnerId, metadata })
    }
    return {
        "client init": init("runner-1", 15000n, 1800000n, null),
        "client init for a serverless runner": init("runner-1", 15000n, 1800000n, 10000n),
        "client init at the limits": init(UNICODE, I64_MIN, I64_MAX, I64_MIN),
        "no commands": member("ToClientCommands", []),
        "commands of every kind": member(
            "ToClientCommands",
            numbered([
                start(common.config()),
                start(common.fullConfig, common.hibernatingRequests),
                start(common.emptyConfig),
                stop,
            ]),
        ),
        "commands with the outermost checkpoints": member("ToClientCommands", placed(stop)),
        "130 commands": member("ToClientCommands", numbered(Array.from({ length: 130 }, () => stop))),
        "ack of no events": ack([]),
        "ack of an event": ack([checkpoint(250n)]),
        "ack of the outermost events": ack(outermost),
        "client ping": member("ToClientPing", { ts: 1700000000123n }),
        "client ping before time": member("ToClientPing", { ts: I64_MIN }),
        ...common.kvAnswers("updateTs"),
        ...common.toClient,
    }
}

const serverlessInit = (runnerId, runnerProtocolVersion) =>
    member("ToServerlessServerInit", { runnerId, runnerProtocolVersion })

export const toServerlessServer = () => ({
    "serverless init": serverlessInit("runner-1", 7),
    "serverless init with a long id": serverlessInit("r".repeat(130), U16_MAX),
})
