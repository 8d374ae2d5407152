// What the exporter writes into a page; read by the type checker alone, never shipped.

/** A layer: a 1×1 convolution, or a transposed one as a convolution for each output parity. */
interface Step {
  /** Channels in and out, before they are padded to groups of four. */
  inputs: number;
  outputs: number;
  /** Pixels a ray along each axis, of the input. */
  scale: number;
  /** Output pixels an input pixel along each axis. */
  up: number;
  /** For each parity class, row by row: [column, row] of the input pixels that it reads. */
  taps: [number, number][][];
  /** First 4×4 block of its weights, in vectors of four numbers: [class][tap][in/4][out/4][in][out]. */
  weights: number;
  /** First vector of its biases. */
  bias: number;
  act: "none" | "relu" | "gelu" | "gelu_tanh" | "sigmoid";
  /** Memory that is read and written. */
  src: number;
  dst: number;
  /** Memory that the sums are multiplied by, then what is added before the activation, then after it. */
  muls: number[];
  inner: number[];
  adds: number[];
}

interface Program {
  precision: "fp16" | "fp32";
  /** Numbers of the weights, then of the biases (float32), one after the other in the same bytes. */
  weights: number;
  biases: number;
  slots: number;
  /** Slot of the encoded rays, of the picture. */
  input: number;
  output: number;
  steps: Step[];
}

interface Lens {
  width: number;
  height: number;
  fx: number;
  fy: number;
  cx: number;
  cy: number;
}

interface Orbit {
  target: Vector;
  /** Rows: the axes of azimuth 0 and 90 degrees, and up. */
  basis: [Vector, Vector, Vector];
  azimuth: [number, number];
  elevation: [number, number];
  radius: [number, number];
}

interface Scene {
  schema: number;
  /** Whether the server renders; there is no network then, and of the rest what the view needs. */
  live: boolean;
  /** Whether what the server renders becomes another meanwhile, as in training. */
  changes: boolean;
  name: string;
  version: string;
  weights_sha256: string;
  /** SHA-256 of the bytes of `Program` weights and biases. */
  artefact_sha256: string;
  gflop: number;
  program: Program;
  encoder: { near: number; far: number; samples: number; frequencies: number };
  grid: [number, number];
  channels: 3 | 4;
  background: Vector;
  lens: Lens;
  orbit: Orbit;
  min_psnr_db: number;
  half_min_psnr_db: number;
  reference: { poses: number[][]; pixels: number; sample: string };
  /** Address of the weights beside the page; empty where they are inside. */
  weights_url: string;
}

type Vector = [number, number, number];

interface Tables {
  /** [2·P + C, width] and [2·P + C, height]: sines, cosines, coordinates. */
  columns: Float32Array;
  rows: Float32Array;
}

interface Weights {
  program: Program;
  /** Halves or floats of the weights. */
  weights: Uint16Array | Float32Array;
  biases: Float32Array;
}

interface View {
  azimuth: number;
  elevation: number;
  radius: number;
  /** Enlargement of the picture; 1 beyond the smallest trained radius. */
  zoom: number;
}

interface Engine {
  name: "WebGPU, f16" | "WebGPU" | "WebGL2" | "WebGL2, half floats" | "server";
  adapter: string;
  half: boolean;
  grid: [number, number];
  /** Chooses a ray grid; allocates, so not to be called for each frame. */
  setGrid(width: number, height: number): void;
  /** Starts a frame of a pose, [3, 4] cam_to_world row by row, through a lens on any grid. */
  render(pose: number[], lens: Lens): void;
  /** Draws what was rendered into the canvas. */
  show(): void;
  /** [height, width, 4] of the last frame, channels beyond the student's are undefined. */
  read(): Promise<Float32Array>;
  /** Resolves when the last frame is done. */
  finish(): Promise<void>;
  dispose(): void;
  onLost: (reason: string) => void;
}
