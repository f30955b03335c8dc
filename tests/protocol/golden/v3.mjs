// The messages of version 3 that other versions do not have, or spell otherwise.

import * as common from "./common.mjs"
import { I64_MAX, I64_MIN, member, U16_MAX, U32_MAX, UNICODE } from "./values.mjs"

export const toServer = ({ StopCode }) => {
    const intent = (inner) => member("EventActorIntent", { actorId: "a", generation: 1, intent: inner })
    const state = (inner) => member("EventActorStateUpdate", { actorId: UNICODE, generation: U32_MAX, state: inner })
    const alarm = (alarmTs) => member("EventActorSetAlarm", { actorId: "", generation: 0, alarmTs })
    const events = (...inners) =>
        member("ToServerEvents", inners.map((inner, position) => ({ index: BigInt(position), inner })))
    return {
        ...common.inits({ lastCommandIdx: null }, { lastCommandIdx: I64_MIN }),
        "init after command 0": common.inits({ lastCommandIdx: 0n })["init with empty optionals"],
        "no events": events(),
        "events of every kind": events(
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
        ping: member("ToServerPing", { ts: 1700000000123n }),
        "ping before time": member("ToServerPing", { ts: I64_MIN }),
        "runner tunnel ack": common.fromRunner("DeprecatedTunnelAck", null, U16_MAX),
        ...common.toServer,
    }
}

export const toClient = () => {
    const start = (given, config, hibernatingRequests = []) =>
        member("CommandStartActor", { actorId: "actor-1", generation: 1, config, hibernatingRequests, ...given })
    const stop = (actorId, generation) => member("CommandStopActor", { actorId, generation })
    const commands = (...inners) =>
        member("ToClientCommands", inners.map((inner, position) => ({ index: BigInt(position), inner })))
    const init = (runnerId, lastEventIdx, runnerLostThreshold) =>
        member("ToClientInit", { runnerId, lastEventIdx, metadata: { runnerLostThreshold } })
    return {
        "client init": init("runner-1", -1n, 15000n),
        "client init at the limits": init(UNICODE, I64_MAX, I64_MIN),
        close: member("ToClientClose"),
        "no commands": commands(),
        "commands of every kind": commands(
            start({}, common.config()),
            start({ generation: U32_MAX }, common.fullConfig, common.hibernatingRequests),
            start({ actorId: "", generation: 0 }, common.emptyConfig),
            stop("actor-1", 2),
        ),
        "130 commands": commands(...Array.from({ length: 130 }, (_, generation) => stop("a", generation))),
        "ack of event 0": member("ToClientAckEvents", { lastEventIdx: 0n }),
        "ack of the last event": member("ToClientAckEvents", { lastEventIdx: I64_MAX }),
        ...common.kvAnswers("createTs"),
        "gateway tunnel ack": common.fromGateway("DeprecatedTunnelAck"),
        ...common.toClient,
    }
}

export const toServerlessServer = () => ({
    "serverless init": member("ToServerlessServerInit", { runnerId: "runner-1" }),
    "serverless init with a long id": member("ToServerlessServerInit", { runnerId: "r".repeat(130) }),
})
