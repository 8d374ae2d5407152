"""Models of a lens in the stand-in for Lens Studio, and what is wrong with them."""

from __future__ import annotations

import onnx
import pytest

from mobile_nelf.errors import BundleError
from mobile_nelf_exporters.lens.player.session import LensSession
from tests.helpers.lens.runtime_projects import BUILD, SCREEN, error_of, runtime_project
from tests.helpers.node import needs_node


@needs_node
class TestModels:
    def _failure(self, model: bytes | None = None, meta: tuple[str, str] = ("", "")) -> str:
        files = runtime_project(BUILD + "START(() => build(() => print('ready')));")
        if model is not None:
            files["Assets/model.onnx"] = model
        text = files["Assets/model.onnx.meta"].decode()
        assert meta[0] in text
        files["Assets/model.onnx.meta"] = text.replace(*meta, 1).encode()
        with LensSession(files, screen=SCREEN) as lens:
            lens.start()
            (said,) = lens.printed
            return said

    def _edited(self, edit) -> bytes:
        model = onnx.load_from_string(runtime_project()["Assets/model.onnx"])
        edit(model.graph)
        return model.SerializeToString()

    def test_a_model_that_fits_its_meta_loads(self):
        assert self._failure() == "ready"

    @pytest.mark.parametrize(
        ("meta", "said"),
        [
            (("Name: values", "Name: valuess"), "inputs of the model are values, image"),
            (("Name: picture", "Name: image"), "outputs of the model are picture, all"),
            (("x: 3.000000, y: 2.000000, z: 4", "x: 2.000000, y: 3.000000, z: 4"), "input values"),
        ],
    )
    def test_a_meta_of_another_model_is_a_failure_to_load(self, meta, said):
        found = self._failure(meta=meta)
        assert found.startswith("failed: Assets/model.onnx: ")
        assert said in found

    def test_what_is_no_model_is_a_failure_to_load(self):
        assert "Assets/model.onnx: is not an ONNX model" in self._failure(b"\xff" * 20)

    def test_a_graph_that_does_not_fit_together_is_a_failure_to_load(self):
        def edit(graph):
            graph.node[1].input[0] = "nobody"

        assert "failed: Assets/model.onnx: " in self._failure(self._edited(edit))

    @pytest.mark.parametrize("shape", [(2, 4, 2, 3), (1, 1, 4, 2, 3)])
    def test_shapes_that_lens_studio_cannot_state_are_a_failure_to_load(self, shape):
        def edit(graph):
            for value in (*graph.input, graph.output[0]):
                dims = value.type.tensor_type.shape.dim
                channels = dims[1].dim_value
                del dims[:]
                for size in (*shape[:-3], channels, *shape[-2:]):
                    dims.add().dim_value = size
            # Channels are the third from the end, whatever comes before them.
            axis = onnx.helper.make_tensor("one", onnx.TensorProto.INT64, (1,), [len(shape) - 3])
            graph.initializer[2].CopyFrom(axis)
            del graph.node[2]
            del graph.output[1]

        said = self._failure(self._edited(edit))
        assert f"input values is {shape}, its meta says (3, 2, 4)" in said

    def test_a_graph_that_fails_while_it_runs_calls_back(self):
        def edit(graph):
            # Asks for as many values as their sum, which only a run can tell.
            graph.initializer.append(
                onnx.helper.make_tensor("line", onnx.TensorProto.INT64, (1,), [1])
            )
            graph.node[1].output[0] = "right"
            for op, inputs, output, more in (
                ("ReduceSum", ["values"], "sum", {"keepdims": 0}),
                ("Reshape", ["sum", "line"], "sums", {}),
                ("Cast", ["sums"], "size", {"to": onnx.TensorProto.INT64}),
                ("Reshape", ["values", "size"], "wrong", {}),
                ("Add", ["right", "wrong"], "picture", {}),
            ):
                graph.node.append(onnx.helper.make_node(op, inputs, [output], **more))

        files = runtime_project(
            BUILD
            + """
        START(() => build((ml) => {
            ml.onRunningFailed = (error) => print(error);
            ml.runImmediate(true);
            print(ml.state === MachineLearning.ModelState.Idle);
        }));"""
        )
        files["Assets/model.onnx"] = self._edited(edit)
        with LensSession(files, screen=SCREEN) as lens:
            lens.start()
            said, idle = lens.printed
        assert said.startswith("Assets/model.onnx: ")
        assert idle == "true"

    def test_a_nil_model_cannot_be_built(self):
        main = BUILD.replace("ml.model = script.model;", "") + "START(() => build(() => {}));"
        assert "MLComponent.build: no model is set" in error_of(main)

    @pytest.mark.parametrize("value", [".inf", ".nan", "-3.0", "3e9", "[]", "wide"])
    def test_absurd_shapes_are_errors_that_name_the_meta(self, value):
        with pytest.raises(BundleError, match=r"Assets/model.onnx.meta: tensors are not as"):
            self._failure(meta=("x: 3.000000", f"x: {value}"))

    def test_normalisations_are_one_a_channel(self):
        drop = ("          - {scale: 2.000000, bias: 0.000000}\n", "")
        with pytest.raises(BundleError, match="values has 3 normalisations for 4 channels"):
            self._failure(meta=drop)
