// The network on WebGPU. Everything is allocated when a ray grid is chosen, nothing for a frame.

import { fillTables, newTables, resizedLens } from "./camera.js";
import { framePasses } from "./passes.js";
import { imageScale } from "./program.js";
import { showShader } from "./wgsl.js";

/** Flags of buffers and of mapping, by the numbers that the standard gives them. */
const [MAP_READ, COPY_SRC, COPY_DST, UNIFORM, STORAGE] = [0x1, 0x4, 0x8, 0x40, 0x80];
const MAP_TO_READ = 0x1;

/** Bytes between the sizes of two steps, which every device allows. */
const ALIGNMENT = 256;

/**
 * @param {Scene} scene @param {Weights} weights
 * @param {HTMLCanvasElement | null} canvas shows frames; none where they are only read
 * @param {boolean} f16 multiplies and stores in 16 bits
 * @returns {Promise<Engine>}
 */
export async function createWebGPU(scene, weights, canvas, f16) {
  if (!navigator.gpu) throw new Error("WebGPU is missing");
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("WebGPU has no adapter");
  const { program, encoder } = scene;
  if (f16 && program.precision !== "fp16") throw new Error("WebGPU with f16 is for weights in fp16");
  if (f16 && !adapter.features.has("shader-f16")) throw new Error("WebGPU has no f16 on this adapter");
  const { passes, picture, bytes } = framePasses(program, encoder, f16);
  const device = await adapter.requestDevice({
    requiredFeatures: f16 ? ["shader-f16"] : [],
    requiredLimits: neededLimits(scene, adapter, bytes(...scene.grid)),
  });
  /** @type {string[]} */
  const errors = [];
  device.addEventListener("uncapturederror", (event) => {
    errors.push(/** @type {GPUUncapturedErrorEvent} */ (event).error.message);
  });
  let disposed = false;
  /** @type {Engine} */
  let engine;
  device.lost.then((info) => {
    if (!disposed) engine?.onLost(info.message || "the graphics device was lost");
  });

  /** @param {ArrayBufferView} data */
  const uploaded = (data) => {
    const buffer = device.createBuffer({ size: Math.max(16, Math.ceil(data.byteLength / 16) * 16), usage: STORAGE | COPY_DST });
    const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
    padded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    device.queue.writeBuffer(buffer, 0, padded);
    return buffer;
  };
  const network = { weights: uploaded(weights.weights), biases: uploaded(weights.biases) };

  /** @type {Map<string, Promise<GPUComputePipeline>>} */
  const pipelines = new Map();
  /** @param {string} code */
  const compute = (code) => {
    let found = pipelines.get(code);
    if (!found) {
      const module = device.createShaderModule({ code });
      found = device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
      pipelines.set(code, found);
    }
    return found;
  };
  const compiled = await Promise.all(passes.map(({ code }) => compute(code)));

  /** @type {GPUCanvasContext | null} */
  const context = /** @type {any} */ (canvas?.getContext("webgpu") ?? null);
  /** @type {GPURenderPipeline | null} */
  let shower = null;
  if (context) {
    const format = navigator.gpu.getPreferredCanvasFormat();
    context.configure({ device, format, alphaMode: scene.channels === 4 ? "premultiplied" : "opaque" });
    const module = device.createShaderModule({ code: showShader(scene.channels, scene.background) });
    shower = await device.createRenderPipelineAsync({
      layout: "auto",
      vertex: { module, entryPoint: "corner" },
      fragment: { module, entryPoint: "pixel", targets: [{ format }] },
    });
  }

  const scale = imageScale(program);

  /** What one ray grid needs. @param {number} width @param {number} height */
  function makePlan(width, height) {
    /** @param {number} size @param {number} usage */
    const make = (size, usage) => device.createBuffer({ size: Math.ceil(size / 16) * 16, usage });
    /** @type {Record<string, GPUBuffer>} */
    const buffers = { ...network };
    for (const [name, size] of Object.entries(bytes(width, height))) buffers[name] = make(size, STORAGE | COPY_SRC | COPY_DST);
    const sizes = make(ALIGNMENT * (passes.length + 1), UNIFORM | COPY_DST);
    /** @param {number} index @param {number[]} values */
    const uniform = (index, values) => {
      device.queue.writeBuffer(sizes, ALIGNMENT * index, new Uint32Array(values));
      return { buffer: sizes, offset: ALIGNMENT * index, size: 4 * values.length };
    };
    /** @param {GPUComputePipeline | GPURenderPipeline} pipeline @param {(GPUBufferBinding | GPUBuffer)[]} entries */
    const bound = (pipeline, entries) =>
      device.createBindGroup({
        layout: pipeline.getBindGroupLayout(0),
        entries: entries.map((entry, binding) => ({ binding, resource: entry instanceof GPUBuffer ? { buffer: entry } : entry })),
      });
    const dispatches = passes.map((pass, index) => ({
      pipeline: compiled[index],
      group: bound(compiled[index], [uniform(index, pass.sizes(width, height)), ...pass.buffers.map((name) => buffers[name])]),
      count: pass.count(width, height),
    }));
    const readBack = make(16 * width * height * scale ** 2, MAP_READ | COPY_DST);
    const size = uniform(passes.length, [width * scale, height * scale]);
    return {
      tables: newTables(encoder, width, height),
      columns: buffers.columns,
      rows: buffers.rows,
      dispatches,
      picture: buffers[picture],
      readBack,
      shown: shower && bound(shower, [buffers[picture], size]),
    };
  }

  /** @type {Map<string, ReturnType<typeof makePlan>>} */
  const plans = new Map();
  let current = makePlan(...scene.grid);
  plans.set(scene.grid.join(), current);

  /** @param {number} width @param {number} height */
  function setGrid(width, height) {
    const key = [width, height].join();
    current = plans.get(key) ?? makePlan(width, height);
    plans.set(key, current);
    engine.grid = [width, height];
    if (canvas) [canvas.width, canvas.height] = [width * scale, height * scale];
  }

  engine = {
    name: f16 ? "WebGPU, f16" : "WebGPU",
    adapter: adapterName(adapter),
    half: false,
    grid: [0, 0],
    setGrid,
    render(pose, lens) {
      const { tables } = current;
      fillTables(pose, resizedLens(lens, ...engine.grid), encoder, tables);
      device.queue.writeBuffer(current.columns, 0, /** @type {Float32Array<ArrayBuffer>} */ (tables.columns));
      device.queue.writeBuffer(current.rows, 0, /** @type {Float32Array<ArrayBuffer>} */ (tables.rows));
      const commands = device.createCommandEncoder();
      const pass = commands.beginComputePass();
      for (const { pipeline, group, count } of current.dispatches) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...count);
      }
      pass.end();
      device.queue.submit([commands.finish()]);
    },
    show() {
      if (!context || !shower || !current.shown) return;
      const commands = device.createCommandEncoder();
      const view = context.getCurrentTexture().createView();
      const pass = commands.beginRenderPass({ colorAttachments: [{ view, loadOp: "clear", storeOp: "store" }] });
      pass.setPipeline(shower);
      pass.setBindGroup(0, current.shown);
      pass.draw(3);
      pass.end();
      device.queue.submit([commands.finish()]);
    },
    async read() {
      const { picture, readBack } = current;
      const commands = device.createCommandEncoder();
      commands.copyBufferToBuffer(picture, 0, readBack, 0, readBack.size);
      device.queue.submit([commands.finish()]);
      await readBack.mapAsync(MAP_TO_READ);
      const pixels = new Float32Array(readBack.getMappedRange().slice(0));
      readBack.unmap();
      if (errors.length) throw new Error(errors[0]);
      return pixels;
    },
    async finish() {
      await device.queue.onSubmittedWorkDone();
      if (errors.length) throw new Error(errors[0]);
    },
    dispose() {
      disposed = true;
      device.destroy();
    },
    onLost: () => {},
  };
  setGrid(...scene.grid);
  return engine;
}

/** Asks for larger buffers only where this network needs them. @param {Scene} scene @param {GPUAdapter} adapter @param {Record<string, number>} bytes */
function neededLimits(scene, adapter, bytes) {
  const largest = Math.max(...Object.values(bytes), 4 * scene.program.weights);
  if (largest <= 128 * 2 ** 20) return {};
  if (largest > adapter.limits.maxStorageBufferBindingSize) {
    throw new Error(`WebGPU allows buffers of ${adapter.limits.maxStorageBufferBindingSize} bytes, this network needs ${largest}`);
  }
  return { maxStorageBufferBindingSize: largest, maxBufferSize: Math.max(largest, 256 * 2 ** 20) };
}

/** @param {GPUAdapter} adapter */
function adapterName(adapter) {
  const { vendor, architecture, device, description } = adapter.info ?? {};
  return description || [vendor, architecture, device].filter(Boolean).join(" ") || "unknown";
}
