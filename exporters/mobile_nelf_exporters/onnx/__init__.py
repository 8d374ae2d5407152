"""Target onnx, and the graph that target lens starts from."""
