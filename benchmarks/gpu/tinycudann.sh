#!/usr/bin/env bash
# Builds tinycudann from a copy of its source with its submodules cutlass and fmt, without network.
#   benchmarks/gpu/tinycudann.sh SOURCE.tar.xz FOLDER     then: export PYTHONPATH=$(cat FOLDER/path)
set -eu
mkdir -p "$2/stub"
tar xf "$1" -C "$2"
folder=$(cd "$2" && pwd)
# Its setup.py still asks for pkg_resources, which new releases of setuptools no longer bring.
echo "from packaging.version import parse as parse_version" >"$folder/stub/pkg_resources.py"
cd "$folder/bindings/torch"
PYTHONPATH="$folder/stub" MAX_JOBS="${MAX_JOBS:-12}" TCNN_CUDA_ARCHITECTURES="${TCNN_CUDA_ARCHITECTURES:-90}" \
  python3 setup.py build
echo "$folder/bindings/torch:$(echo "$folder"/bindings/torch/build/lib*)" >"$folder/path"
