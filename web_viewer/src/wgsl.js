// Shaders of the WebGPU engine. A feature map is [pixel][channel / 4] of vec4f.

import { finished, joined } from "./program.js";

/** Threads a workgroup, the least that every device has several of. */
export const THREADS = 64;

/** Pixels a thread of the general layer, and input channels / 4 that a workgroup holds at once. */
export const PIXELS = 4;
const HELD = 4;

const GELU = `
fn erf4(x: vec4f) -> vec4f {  // Abramowitz and Stegun 7.1.26, to 1.5e-7
  let a = abs(x);
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(x) * (1.0 - p * exp(-a * a));
}`;

/** @type {Record<Step["act"], string>} */
const ACTIVATIONS = {
  none: "fn act(x: vec4f) -> vec4f { return x; }",
  relu: "fn act(x: vec4f) -> vec4f { return max(x, vec4f()); }",
  gelu: `${GELU}\nfn act(x: vec4f) -> vec4f { return 0.5 * x * (1.0 + erf4(x * 0.7071067811865476)); }`,
  gelu_tanh:
    "fn act(x: vec4f) -> vec4f { return 0.5 * x * (1.0 + tanh(clamp(0.7978845608028654 * (x + 0.044715 * x * x * x), vec4f(-10), vec4f(10)))); }",
  sigmoid: "fn act(x: vec4f) -> vec4f { return 1.0 / (1.0 + exp(-x)); }",
};

/**
 * Numbers that a network is computed with.
 * @typedef {object} Numbers
 * @property {boolean} halves whether weights are stored in 16 bits
 * @property {boolean} f16 whether products and results are of 16 bits; sums over many channels have 32
 */

/** @param {boolean} f16 */
const vector = (f16) => (f16 ? "vec4h" : "vec4f");

/**
 * What all shaders of layers declare; the same shader serves every layer of its kind and every ray grid.
 * @param {Numbers} numbers @param {boolean} ends whether it makes the picture, which has 32 bits
 * @param {number} others how many other results it takes in
 */
function layer(numbers, ends, others) {
  const { halves, f16 } = numbers;
  const made = vector(f16 && !ends);
  return `${f16 ? "enable f16;" : ""}
struct Layer { width: u32, height: u32, groups_in: u32, groups_out: u32, weights: u32, bias: u32, weights2: u32, bias2: u32 };
@group(0) @binding(0) var<uniform> s: Layer;
@group(0) @binding(1) var<storage, read> x: array<${vector(f16)}>;
@group(0) @binding(3) var<storage, read> biases: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<${made}>;
${Array.from({ length: others }, (_, k) => `@group(0) @binding(${5 + k}) var<storage, read> r${k}: array<${vector(f16)}>;`).join("\n")}
fn result(v: vec4f) -> ${made} { return ${made}(v); }
${
  halves && !f16
    ? `@group(0) @binding(2) var<storage, read> w: array<vec2u>;
fn weight(i: u32) -> vec4f { let h = w[i]; return vec4f(unpack2x16float(h.x), unpack2x16float(h.y)); }`
    : `@group(0) @binding(2) var<storage, read> w: array<${vector(f16)}>;
fn weight(i: u32) -> ${vector(f16)} { return w[i]; }`
}`;
}

/**
 * Any layer, as a product of matrices in tiles: a workgroup makes THREADS / wide · PIXELS pixels ×
 * 4·wide channels of one parity class.
 * @param {Step} step @param {Numbers} numbers @param {number} wide vectors of channels a workgroup
 * @param {boolean} ends whether it makes the picture
 */
export function layerShader(step, numbers, wide, ends) {
  const { f16 } = numbers;
  const v4 = vector(f16);
  // In 16 bits a few channels are summed, then added to a sum of 32.
  const sum = f16 ? "c" : "a";
  const tile = (THREADS / wide) * PIXELS;
  const taps = step.taps[0].length;
  const offsets = step.taps.flat().map(([dx, dy]) => `vec2i(${dx}, ${dy})`);
  const acc = (/** @type {(i: number) => string} */ line) => Array.from({ length: PIXELS }, (_, i) => line(i)).join("\n");
  return `${layer(numbers, ends, joined(step).length)}
${ACTIVATIONS[step.act]}
const OFFSETS = array<vec2i, ${offsets.length}>(${offsets.join(", ")});
var<workgroup> xs: array<${v4}, ${tile * HELD}>;
var<workgroup> ws: array<${v4}, ${HELD * wide * 4}>;
fn store(p: u32, o: u32, class_: u32, a: vec4f) {
  if (p >= s.width * s.height || o >= s.groups_out) { return; }
  let row = (p / s.width) * ${step.up}u + class_ / ${step.up}u;
  let column = (p % s.width) * ${step.up}u + class_ % ${step.up}u;
  let i = (row * s.width * ${step.up}u + column) * s.groups_out + o;
  y[i] = result(${finished(step, "a", (n) => `vec4f(r${n}[i])`)});
}
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
  let own = t % ${wide}u;
  let first = (t / ${wide}u) * ${PIXELS}u;
  let p0 = group.x * ${tile}u;
  let o0 = group.y * ${wide}u;
  let bias = biases[s.bias + min(o0 + own, s.groups_out - 1u)];
${acc((i) => `  var a${i} = bias;`)}
  for (var tap = 0u; tap < ${taps}u; tap++) {
    let offset = OFFSETS[group.z * ${taps}u + tap];
    let base = s.weights + (group.z * ${taps}u + tap) * s.groups_in * s.groups_out * 4u;
    for (var k0 = 0u; k0 < s.groups_in; k0 += ${HELD}u) {
      for (var i = t; i < ${tile * HELD}u; i += ${THREADS}u) {
        let p = p0 + i / ${HELD}u;
        let k = k0 + i % ${HELD}u;
        let at = vec2i(i32(p % s.width), i32(p / s.width)) + offset;
        var v = ${v4}();
        if (k < s.groups_in && at.x >= 0 && at.y >= 0 && at.x < i32(s.width) && at.y < i32(s.height)) {
          v = x[(u32(at.y) * s.width + u32(at.x)) * s.groups_in + k];
        }
        xs[i] = v;
      }
      for (var i = t; i < ${HELD * wide * 4}u; i += ${THREADS}u) {
        let k = k0 + i / ${wide * 4}u;
        let o = o0 + (i / 4u) % ${wide}u;
        var v = ${v4}();
        if (k < s.groups_in && o < s.groups_out) { v = weight(base + (k * s.groups_out + o) * 4u + i % 4u); }
        ws[i] = v;
      }
      workgroupBarrier();
${f16 ? acc((i) => `      var c${i} = vec4h();`) : ""}
      for (var k = 0u; k < ${HELD}u; k++) {
        let j = (k * ${wide}u + own) * 4u;
        let m = mat4x4${f16 ? "h" : "f"}(ws[j], ws[j + 1u], ws[j + 2u], ws[j + 3u]);
${acc((i) => `        ${sum}${i} += m * xs[(first + ${i}u) * ${HELD}u + k];`)}
      }
${f16 ? acc((i) => `      a${i} += vec4f(c${i});`) : ""}
      workgroupBarrier();
    }
  }
${acc((i) => `  store(p0 + first + ${i}u, o0 + own, group.z, a${i});`)}
}`;
}

/**
 * A narrow residual block at once: x + W₂·act(W₁·x + b₁) + b₂, a pixel a thread.
 * @param {Step} first @param {number} adds beside x @param {Numbers} numbers @param {boolean} ends whether it makes the
 * picture
 */
export function blockShader(first, adds, numbers, ends) {
  const v4 = vector(numbers.f16);
  const matrixType = numbers.f16 ? "mat4x4h" : "mat4x4f";
  const groups = Math.ceil(first.inputs / 4);
  const matrix = groups * groups * 4;
  const each = (/** @type {(g: number) => string} */ line) => Array.from({ length: groups }, (_, g) => line(g)).join("\n");
  const others = (/** @type {number} */ g) => Array.from({ length: adds }, (_, k) => ` + vec4f(r${k}[at + ${g}u])`).join("");
  const product = (/** @type {string} */ to, /** @type {string} */ from, /** @type {number} */ start) =>
    each((o) =>
      each((k) => {
        const j = start + (k * groups + o) * 4;
        return `  ${to}${o} += vec4f(${matrixType}(ws[${j}], ws[${j + 1}], ws[${j + 2}], ws[${j + 3}]) * ${from}${k});`;
      }),
    );
  return `${layer(numbers, ends, adds)}
${ACTIVATIONS[first.act]}
var<workgroup> ws: array<${v4}, ${2 * matrix}>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
  for (var i = t; i < ${matrix}u; i += ${THREADS}u) {
    ws[i] = weight(s.weights + i);
    ws[${matrix}u + i] = weight(s.weights2 + i);
  }
  workgroupBarrier();
  let p = (group.y * groups.x + group.x) * ${THREADS}u + t;
  if (p >= s.width * s.height) { return; }
  let at = p * ${groups}u;
${each((g) => `  let v${g} = x[at + ${g}u]; var h${g} = biases[s.bias + ${g}u]; var a${g} = biases[s.bias2 + ${g}u];`)}
${product("h", "v", 0)}
${each((g) => `  let i${g} = ${v4}(act(h${g}));`)}
${product("a", "i", matrix)}
${each((g) => `  y[at + ${g}u] = result(a${g} + vec4f(v${g})${others(g)});`)}
}`;
}

/** Tables to the encoded rays, four channels of a pixel a thread. @param {number} phases @param {boolean} f16 */
export function encodeShader(phases, f16) {
  return `${f16 ? "enable f16;" : ""}
struct Grid { width: u32, height: u32, groups: u32, channels: u32 };
@group(0) @binding(0) var<uniform> s: Grid;
@group(0) @binding(1) var<storage, read> columns: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<${vector(f16)}>;
fn value(c: u32, u: u32, v: u32) -> f32 {
  if (c >= s.channels) { return 0.0; }
  if (c >= ${2 * phases}u) { return columns[c * s.width + u] + rows[c * s.height + v]; }
  let k = c % ${phases}u;
  let sin_u = columns[k * s.width + u];
  let cos_u = columns[(${phases}u + k) * s.width + u];
  let sin_v = rows[k * s.height + v];
  let cos_v = rows[(${phases}u + k) * s.height + v];
  return select(cos_u * cos_v - sin_u * sin_v, sin_u * cos_v + cos_u * sin_v, c < ${phases}u);
}
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) t: u32) {
  let i = (group.y * groups.x + group.x) * ${THREADS}u + t;
  if (i >= s.width * s.height * s.groups) { return; }
  let p = i / s.groups;
  let c = (i % s.groups) * 4u;
  let u = p % s.width;
  let v = p / s.width;
  y[i] = ${vector(f16)}(vec4f(value(c, u, v), value(c + 1u, u, v), value(c + 2u, u, v), value(c + 3u, u, v)));
}`;
}

/**
 * The picture to a canvas of its size, alpha premultiplied.
 * @param {3 | 4} channels @param {Vector} background that colours with alpha lie on
 */
export function showShader(channels, background) {
  const shown =
    channels === 4
      ? `vec4f(clamp(c.rgb - (1.0 - c.a) * vec3f(${background.join(", ")}), vec3f(), vec3f(c.a)), c.a)`
      : "vec4f(c.rgb, 1.0)";
  return `
@group(0) @binding(0) var<storage, read> picture: array<vec4f>;
@group(0) @binding(1) var<uniform> size: vec2u;
@vertex fn corner(@builtin(vertex_index) i: u32) -> @builtin(position) vec4f {
  return vec4f(f32(i & 1u) * 4.0 - 1.0, f32(i >> 1u) * 4.0 - 1.0, 0.0, 1.0);
}
@fragment fn pixel(@builtin(position) at: vec4f) -> @location(0) vec4f {
  let c = picture[u32(at.y) * size.x + u32(at.x)];
  return ${shown};
}`;
}
