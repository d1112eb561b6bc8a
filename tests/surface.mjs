// Print a path of docs/live/surface.c as JSON: node surface.mjs MODULE SURFACE RULE X Y LR STEPS
import { readFileSync } from "node:fs";

const [path, surface, rule, x, y, lr, steps] = process.argv.slice(2);
const nothing = new Proxy({}, { get: () => () => 0 }); // what WASI would do
const module = new WebAssembly.Module(readFileSync(path));
const core = new WebAssembly.Instance(module, { wasi_snapshot_preview1: nothing }).exports;
core._initialize();

function text(address) {
  const bytes = new Uint8Array(core.memory.buffer, address);
  return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}
const rules = [...Array(core.rule_count()).keys()];
const usable = rules.filter((k) => core.rule_is_usable(k)).map((k) => text(core.rule_name(k)));
const id = rules.find((k) => text(core.rule_name(k)) === rule);
const rate = core.begin(Number(surface), id, Number(x), Number(y), Number(lr));
const points = [];
for (let k = 0; k < Number(steps); k++) {
  const result = core.step();
  points.push([result, ...new Float64Array(core.memory.buffer, core.point(), 4)]);
}
const loss = core.surface_loss(Number(surface), Number(x), Number(y));
console.log(JSON.stringify({ usable, rate, points, loss, surfaces: core.surface_count() }));
