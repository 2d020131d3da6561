// SPDX-License-Identifier: Apache-2.0
// Runs an ONNX file in ONNX Runtime on a CPU, for the tests:
//     node onnxruntime.mjs MODEL OUT_DIR INPUT.npy...
// Each input gives OUT_DIR/<its name>.npy with the first output, and <its name>_1.npy and so on with the others;
// float32 arrays in C order. The npm package onnxruntime-node is looked for in the folder $ORT_HOME.
import fs from 'fs';
import path from 'path';
import { createRequire } from 'module';

const require = createRequire(path.resolve(process.env.ORT_HOME || process.cwd(), 'x.js'));
const ort = require('onnxruntime-node');

function readNpy(file) {
  const bytes = fs.readFileSync(file);
  const begin = bytes[6] === 1 ? 10 : 12;
  const length = bytes[6] === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  const header = bytes.toString('latin1', begin, begin + length);
  if (!/'descr': '<f4'/.test(header) || !/'fortran_order': False/.test(header))
    throw new Error(`${file} is no float32 array in C order`);
  const dims = header.match(/'shape': \(([^)]*)\)/)[1].split(',').filter((s) => s.trim()).map(Number);
  const data = bytes.buffer.slice(bytes.byteOffset + begin + length, bytes.byteOffset + bytes.length);
  return new ort.Tensor('float32', new Float32Array(data), dims);
}

function writeNpy(file, tensor) {
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${tensor.dims.join(', ')},), }`;
  header += ' '.repeat(63 - ((10 + header.length) % 64)) + '\n';
  const begin = Buffer.alloc(10);
  begin.write('\x93NUMPY\x01\x00', 0, 'latin1');
  begin.writeUInt16LE(header.length, 8);
  const values = Float32Array.from(tensor.data, Number);
  fs.writeFileSync(file, Buffer.concat([begin, Buffer.from(header, 'latin1'), Buffer.from(values.buffer)]));
}

const [model, folder, ...inputs] = process.argv.slice(2);
const session = await ort.InferenceSession.create(model, { graphOptimizationLevel: 'all', logSeverityLevel: 3 });
fs.mkdirSync(folder, { recursive: true });
for (const file of inputs) {
  const outputs = await session.run({ [session.inputNames[0]]: readNpy(file) });
  session.outputNames.forEach((name, i) => {
    const ending = i ? `_${i}.npy` : '.npy';
    writeNpy(path.join(folder, path.basename(file, '.npy') + ending), outputs[name]);
  });
}
