#!/usr/bin/env bash
# One call on a rented GPU: checks, a teacher, D60-SR3 on pseudo views, and what came of it.
#   benchmarks/gpu/run.sh SCENE OUT SECONDS [--toy]     (--toy: the same on a CPU with small networks)
# Needs PyTorch >= 2.11 and the checkout; nothing is installed. Each step has a time limit of its own.
set -u
cd "$(dirname "$0")/../.."
scene=$1 out=$2 seconds=$3; shift 3
export PYTHONPATH=$PWD:$PWD/exporters${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1
began=$(date +%s)
left() { echo $((seconds - ($(date +%s) - began))); }
python3 -m benchmarks.gpu.check "$@" 2>&1 | tee "$out/check.txt" || echo "check failed"
timeout "$(left)" python3 -m benchmarks.gpu.train "$scene" "$out" "$(left)" "$@" 2>&1 | tee "$out/train.txt"
