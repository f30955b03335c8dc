// The echo runner on the TypeScript SDK; started by the benchmarks, and ends with its standard input.
// No logger is given: with one, the SDK formats every message for it.

import { Runner } from "@rivetkit/engine-runner";

const BODY = "x".repeat(64);

const runner = new Runner({
  version: 1,
  endpoint: process.env.RIVET_ENDPOINT,
  namespace: "default",
  totalSlots: 100_000,
  runnerName: process.env.RIVET_RUNNER_NAME ?? "default",
  prepopulateActorNames: {},
  metadata: {},
  noAutoShutdown: true,
  onConnected() {},
  onDisconnected(code, reason) {
    console.error(`disconnected: ${code} ${reason}`);
  },
  onShutdown() {},
  async onActorStart() {},
  async onActorStop() {},
  hibernatableWebSocket: { canHibernate: () => false },
  async fetch(runner, actorId, _gatewayId, _requestId, request) {
    if (request.method === "POST") runner.sleepActor(actorId);
    return new Response(BODY);
  },
  async websocket(_runner, _actorId, ws) {
    ws.addEventListener("message", (event) => ws.send(event.data));
  },
});

process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
await runner.start();
