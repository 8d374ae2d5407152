// The network on WebGPU. Everything is allocated when a ray grid is chosen, nothing for a frame.

import { fillTables, newTables, resizedLens } from "./camera.js";
import { imageScale, joined, slotSizes } from "./program.js";
import { PIXELS, THREADS, blockShader, encodeShader, layerShader, showShader } from "./wgsl.js";

/** Vectors of channels up to which a residual block runs as one step. */
const NARROW = 4;

/** Workgroups along an axis that every device allows. */
const MAX_GROUPS = 65535;

/** Flags of buffers and of mapping, by the numbers that the standard gives them. */
const [MAP_READ, COPY_SRC, COPY_DST, UNIFORM, STORAGE] = [0x1, 0x4, 0x8, 0x40, 0x80];
const MAP_TO_READ = 0x1;

/** Bytes between the sizes of two steps, which every device allows. */
const ALIGNMENT = 256;

/**
 * @typedef {object} Pass
 * @property {GPUComputePipeline} pipeline
 * @property {number[]} sizes what its uniform holds, for a ray grid
 * @property {Step} step
 * @property {Step} last the step whose result it writes
 * @property {number} wide vectors of channels a workgroup; 0 for a block
 */

/**
 * @param {Scene} scene @param {Weights} weights
 * @param {HTMLCanvasElement | null} canvas shows frames; none where they are only read
 * @returns {Promise<Engine>}
 */
export async function createWebGPU(scene, weights, canvas) {
  if (!navigator.gpu) throw new Error("WebGPU is missing");
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("WebGPU has no adapter");
  const device = await adapter.requestDevice({ requiredLimits: neededLimits(scene, adapter) });
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

  const { program } = scene;
  /** @param {ArrayBufferView} data */
  const uploaded = (data) => {
    const buffer = device.createBuffer({ size: Math.max(16, Math.ceil(data.byteLength / 16) * 16), usage: STORAGE | COPY_DST });
    const bytes = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    device.queue.writeBuffer(buffer, 0, bytes);
    return buffer;
  };
  const weightBuffer = uploaded(weights.weights);
  const biasBuffer = uploaded(weights.biases);

  const halves = program.precision === "fp16";
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
  const { encoder } = scene;
  const phases = 3 * encoder.samples * encoder.frequencies;
  const channels = 3 * encoder.samples * (2 * encoder.frequencies + 1);
  const encoding = compute(encodeShader(phases));
  const passes = await Promise.all(
    plan(program).map(async (steps) => {
      const [step, last] = [steps[0], steps[steps.length - 1]];
      const block = steps.length === 2;
      const wide = block ? 0 : Math.min(8, Math.max(2, nextPower(Math.ceil(step.outputs / 4))));
      const code = block ? blockShader(step, last.adds.length - 1, halves) : layerShader(step, halves, wide);
      return /** @type {Pass} */ ({ pipeline: await compute(code), step, last, wide, sizes: [] });
    }),
  );
  const encodePipeline = await encoding;

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
    const slots = slotSizes(program, channels).map((size) => make(16 * width * height * size, STORAGE | COPY_SRC));
    const columns = make(4 * channels * width, STORAGE | COPY_DST);
    const rows = make(4 * channels * height, STORAGE | COPY_DST);
    const sizes = make(ALIGNMENT * (passes.length + 2), UNIFORM | COPY_DST);
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
    const groups = Math.ceil(channels / 4);
    /** @type {{ pipeline: GPUComputePipeline, group: GPUBindGroup, count: [number, number, number] }[]} */
    const dispatches = [
      {
        pipeline: encodePipeline,
        group: bound(encodePipeline, [uniform(0, [width, height, groups, channels]), columns, rows, slots[program.input]]),
        count: spread(Math.ceil((width * height * groups) / THREADS)),
      },
    ];
    for (const [index, { pipeline, step, last, wide }] of passes.entries()) {
      const [w, h] = [width * step.scale, height * step.scale];
      const [groupsIn, groupsOut] = [Math.ceil(step.inputs / 4), Math.ceil(step.outputs / 4)];
      const values = [w, h, groupsIn, groupsOut, step.weights, step.bias, last.weights, last.bias];
      const others = step === last ? joined(step) : withoutOne(last.adds, step.src);
      const entries = [uniform(index + 1, values), slots[step.src], weightBuffer, biasBuffer, slots[last.dst], ...others.map((slot) => slots[slot])];
      const tile = wide && (THREADS / wide) * PIXELS;
      dispatches.push({
        pipeline,
        group: bound(pipeline, entries),
        count: wide ? [Math.ceil((w * h) / tile), Math.ceil(groupsOut / wide), step.up ** 2] : spread(Math.ceil((w * h) / THREADS)),
      });
    }
    const picture = slots[program.output];
    const readBack = make(16 * width * height * scale ** 2, MAP_READ | COPY_DST);
    const size = uniform(passes.length + 1, [width * scale, height * scale]);
    const tables = newTables(encoder, width, height);
    return { tables, columns, rows, dispatches, picture, readBack, shown: shower && bound(shower, [picture, size]) };
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
    name: "WebGPU",
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

/** Steps that run as one: [step] or the two of a narrow residual block. @param {Program} program */
function plan(program) {
  const { steps } = program;
  /** @type {Step[][]} */
  const passes = [];
  for (let index = 0; index < steps.length; index++) {
    const [first, second] = [steps[index], steps[index + 1]];
    if (second && isBlock(first, second) && !isReadLater(steps, index + 1, first.dst)) {
      passes.push([first, second]);
      index++;
    } else {
      passes.push([first]);
    }
  }
  return passes;
}

/** @param {Step} first @param {Step} second */
function isBlock(first, second) {
  const narrow = Math.ceil(first.inputs / 4) <= NARROW && first.inputs === first.outputs && first.inputs === second.outputs && second.inputs === first.outputs;
  const inside = second.src === first.dst && second.adds.includes(first.src) && joined(first).length + second.muls.length + second.inner.length === 0;
  return narrow && inside && first.up === 1 && second.up === 1 && second.act === "none";
}

/** Whether a step after `index` reads a slot before another writes it. @param {Step[]} steps @param {number} index @param {number} slot */
function isReadLater(steps, index, slot) {
  if (steps[index].dst === slot) return false;
  for (const step of steps.slice(index + 1)) {
    if (step.src === slot || joined(step).includes(slot)) return true;
    if (step.dst === slot) return false;
  }
  return false;
}

/** @param {number[]} list @param {number} value */
function withoutOne(list, value) {
  const at = list.indexOf(value);
  return list.filter((_, index) => index !== at);
}

/** Workgroups in two dimensions. @param {number} count @returns {[number, number, number]} */
function spread(count) {
  const wide = Math.min(count, MAX_GROUPS);
  return [wide, Math.ceil(count / wide), 1];
}

/** @param {number} value */
function nextPower(value) {
  return 2 ** Math.ceil(Math.log2(value));
}

/** Asks for larger buffers only where this network needs them. @param {Scene} scene @param {GPUAdapter} adapter */
function neededLimits(scene, adapter) {
  const { samples, frequencies } = scene.encoder;
  const vectors = Math.max(...slotSizes(scene.program, 3 * samples * (2 * frequencies + 1)));
  const largest = Math.max(16 * scene.grid[0] * scene.grid[1] * vectors, 4 * scene.program.weights);
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
