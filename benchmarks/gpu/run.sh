#!/usr/bin/env bash
# One call on a rented GPU: a check, a teacher, D60-SR3 on its views, and what came of them.
#   benchmarks/gpu/run.sh SCENE OUT SECONDS [--toy]     --toy: small networks, for a trial on a CPU
# Needs PyTorch >= 2.11, NumPy, Pillow and this checkout; nothing is installed. A check that fails or
# takes too long does not cost the training.
set -u
scene=$(realpath "$1") out=$(realpath "$2") seconds=$3
shift 3
cd "$(dirname "$0")/../.."
export PYTHONPATH=$PWD:$PWD/exporters${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
timeout $((seconds / 6)) python3 -m benchmarks.gpu.check "$scene" --profile "$@" 2>&1 | tee "$out/check.txt"
left=$((seconds - SECONDS))
timeout "$left" python3 -m benchmarks.gpu.train "$scene" "$out" "$((left - 15))" "$@" 2>&1 | tee "$out/train.txt"
