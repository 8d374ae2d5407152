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

/** Sizes of a layer; the same shader serves every layer of its kind and every ray grid. */
const LAYER = `
struct Layer { width: u32, height: u32, groups_in: u32, groups_out: u32, weights: u32, bias: u32, weights2: u32, bias2: u32 };
@group(0) @binding(0) var<uniform> s: Layer;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;
@group(0) @binding(3) var<storage, read> biases: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4f>;`;

/** @param {boolean} halves */
function weightReader(halves) {
  return halves
    ? `@group(0) @binding(2) var<storage, read> w: array<vec2u>;
fn weight(i: u32) -> vec4f { let h = w[i]; return vec4f(unpack2x16float(h.x), unpack2x16float(h.y)); }`
    : `@group(0) @binding(2) var<storage, read> w: array<vec4f>;
fn weight(i: u32) -> vec4f { return w[i]; }`;
}

/** Buffers of other results. @param {number} count */
function otherBuffers(count) {
  return Array.from({ length: count }, (_, k) => `@group(0) @binding(${5 + k}) var<storage, read> r${k}: array<vec4f>;`).join("\n");
}

/**
 * Any layer, as a product of matrices in tiles: a workgroup makes THREADS / wide · PIXELS pixels ×
 * 4·wide channels of one parity class.
 * @param {Step} step @param {boolean} halves @param {number} wide vectors of channels a workgroup
 */
export function layerShader(step, halves, wide) {
  const tile = (THREADS / wide) * PIXELS;
  const taps = step.taps[0].length;
  const offsets = step.taps.flat().map(([dx, dy]) => `vec2i(${dx}, ${dy})`);
  const acc = (/** @type {(i: number) => string} */ line) => Array.from({ length: PIXELS }, (_, i) => line(i)).join("\n");
  return `${LAYER}
${weightReader(halves)}
${otherBuffers(joined(step).length)}
${ACTIVATIONS[step.act]}
const OFFSETS = array<vec2i, ${offsets.length}>(${offsets.join(", ")});
var<workgroup> xs: array<vec4f, ${tile * HELD}>;
var<workgroup> ws: array<vec4f, ${HELD * wide * 4}>;
fn store(p: u32, o: u32, class_: u32, a: vec4f) {
  if (p >= s.width * s.height || o >= s.groups_out) { return; }
  let row = (p / s.width) * ${step.up}u + class_ / ${step.up}u;
  let column = (p % s.width) * ${step.up}u + class_ % ${step.up}u;
  let i = (row * s.width * ${step.up}u + column) * s.groups_out + o;
  y[i] = ${finished(step, "a", (n) => `r${n}[i]`)};
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
        var v = vec4f();
        if (k < s.groups_in && at.x >= 0 && at.y >= 0 && at.x < i32(s.width) && at.y < i32(s.height)) {
          v = x[(u32(at.y) * s.width + u32(at.x)) * s.groups_in + k];
        }
        xs[i] = v;
      }
      for (var i = t; i < ${HELD * wide * 4}u; i += ${THREADS}u) {
        let k = k0 + i / ${wide * 4}u;
        let o = o0 + (i / 4u) % ${wide}u;
        var v = vec4f();
        if (k < s.groups_in && o < s.groups_out) { v = weight(base + (k * s.groups_out + o) * 4u + i % 4u); }
        ws[i] = v;
      }
      workgroupBarrier();
      for (var k = 0u; k < ${HELD}u; k++) {
        let j = (k * ${wide}u + own) * 4u;
        let m = mat4x4f(ws[j], ws[j + 1u], ws[j + 2u], ws[j + 3u]);
${acc((i) => `        a${i} += m * xs[(first + ${i}u) * ${HELD}u + k];`)}
      }
      workgroupBarrier();
    }
  }
${acc((i) => `  store(p0 + first + ${i}u, o0 + own, group.z, a${i});`)}
}`;
}

/**
 * A narrow residual block at once: x + W₂·act(W₁·x + b₁) + b₂, a pixel a thread.
 * @param {Step} first @param {number} adds beside x @param {boolean} halves
 */
export function blockShader(first, adds, halves) {
  const groups = Math.ceil(first.inputs / 4);
  const matrix = groups * groups * 4;
  const each = (/** @type {(g: number) => string} */ line) => Array.from({ length: groups }, (_, g) => line(g)).join("\n");
  const others = (/** @type {number} */ g) => Array.from({ length: adds }, (_, k) => ` + r${k}[at + ${g}u]`).join("");
  const product = (/** @type {string} */ to, /** @type {string} */ from, /** @type {number} */ start) =>
    each((o) =>
      each((k) => {
        const j = start + (k * groups + o) * 4;
        return `  ${to}${o} += mat4x4f(ws[${j}], ws[${j + 1}], ws[${j + 2}], ws[${j + 3}]) * ${from}${k};`;
      }),
    );
  return `${LAYER}
${weightReader(halves)}
${otherBuffers(adds)}
${ACTIVATIONS[first.act]}
var<workgroup> ws: array<vec4f, ${2 * matrix}>;
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
${each((g) => `  h${g} = act(h${g});`)}
${product("a", "h", matrix)}
${each((g) => `  y[at + ${g}u] = a${g} + v${g}${others(g)};`)}
}`;
}

/** Tables to the encoded rays, four channels of a pixel a thread. @param {number} phases */
export function encodeShader(phases) {
  return `
struct Grid { width: u32, height: u32, groups: u32, channels: u32 };
@group(0) @binding(0) var<uniform> s: Grid;
@group(0) @binding(1) var<storage, read> columns: array<f32>;
@group(0) @binding(2) var<storage, read> rows: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
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
  y[i] = vec4f(value(c, u, v), value(c + 1u, u, v), value(c + 2u, u, v), value(c + 3u, u, v));
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
