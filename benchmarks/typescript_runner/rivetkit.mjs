// The echo as an action of a RivetKit actor; started by the benchmarks, and ends with its standard input.

import { actor, setup } from "rivetkit";

const benchmark = actor({
  state: {},
  actions: { echo: (_context, text) => text },
});

process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
setup({ use: { benchmark }, startServices: false, noWelcome: true, logging: { level: "error" } }).startEnvoy();
