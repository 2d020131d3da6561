// SPDX-License-Identifier: Apache-2.0
// Times an ONNX model in ONNX Runtime's CPU provider on a picture of noise.
//
//     node onnxruntime.mjs MODEL THREADS RUNS    -> one JSON line: {"version":…,"median_ms":…,"min_ms":…}
//
// The npm package onnxruntime-node is looked for in $ORT_HOME, else in this folder.
import path from 'path';
import { fileURLToPath } from 'url';
import { createRequire } from 'module';

const here = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(path.resolve(process.env.ORT_HOME || here, 'x.js'));
const ort = require('onnxruntime-node');
const { version } = require('onnxruntime-node/package.json');

const [model, threads, runs] = process.argv.slice(2);
const options = { intraOpNumThreads: Number(threads), graphOptimizationLevel: 'all' };
const session = await ort.InferenceSession.create(model, options);
const dims = session.inputMetadata[0].shape.map((d, i) => (Number(d) > 0 ? Number(d) : [1, 3, 640, 640][i]));
const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
let state = 1;
for (let i = 0; i < data.length; i++) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  data[i] = state / 4294967296;
}
const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', data, dims) };
const times = [];
for (let i = -3; i < Number(runs); i++) {
  const start = performance.now();
  await session.run(feeds);
  if (i >= 0) times.push(performance.now() - start);
}
times.sort((a, b) => a - b);
console.log(JSON.stringify({ version, median_ms: times[times.length >> 1], min_ms: times[0] }));
