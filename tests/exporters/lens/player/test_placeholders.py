"""Tensors of a lens in the stand-in for Lens Studio: data, textures, transformers."""

from __future__ import annotations

import numpy as np
import pytest

from mobile_nelf.errors import BundleError
from tests.helpers.lens.runtime_projects import (
    BUILD,
    COLUMNS,
    PICTURE_ATOL,
    ROWS,
    TRANSFORMER,
    drawn_by,
    error_of,
    expected_picture,
    printed_by,
)
from tests.helpers.node import needs_node


@needs_node
class TestPlaceholders:
    def test_the_picture_is_what_channels_innermost_and_the_scales_of_the_meta_give(self):
        np.testing.assert_allclose(drawn_by(), expected_picture(), atol=PICTURE_ATOL)

    def test_data_in_the_layout_nchw(self):
        edit = """
        values.dataLayout = MachineLearning.DataLayout.NCHW;
        const plain = Float32Array.from(values.data);
        for (let c = 0; c < 4; c++) {
            for (let p = 0; p < 6; p++) { values.data[c * 6 + p] = plain[p * 4 + c]; }
        }"""
        np.testing.assert_allclose(drawn_by(edit), expected_picture(), atol=PICTURE_ATOL)

    def test_set_copies_into_the_data(self):
        edit = "values.data.set(Float32Array.from(values.data).fill(0));"
        only_camera = np.tile(np.array([51, 102, 204]) / 255 + (0, 0, 0.5), (ROWS, COLUMNS, 1))
        np.testing.assert_allclose(drawn_by(edit), np.clip(only_camera, 0, 1), atol=PICTURE_ATOL)

    def test_shapes_and_the_default_modes(self):
        printed = printed_by(
            BUILD
            + """
        START(() => build((ml) => {
            for (const item of [...ml.getInputs(), ...ml.getOutputs()]) {
                print([item.name, item.shape.x, item.shape.y, item.shape.z].join(" "));
            }
            const modes = ml.getOutputs().map((o) => o.mode === MachineLearning.OutputMode.Texture);
            print(modes.join(" "));
        }));"""
        )
        assert printed == [
            "values 3 2 4",
            "image 3 2 3",
            "picture 3 2 3",
            "all 3 2 7",
            "true false",
        ]

    def test_data_outputs_are_scaled_and_flat(self):
        printed = printed_by(
            BUILD
            + """
        START(() => build((ml) => {
            ml.getInput("values").data[7] = 4;
            ml.runImmediate(true);
            const second = Array.from(ml.getOutput("all").data.slice(7, 14));
            print(second.map((value) => value.toFixed(2)).join(" "));
        }));"""
        )
        # The second pixel: four values, of which the last was written, then the camera.
        assert printed == ["0.00 0.00 0.50 4.00 0.20 0.40 0.80"]

    @pytest.mark.parametrize(
        ("action", "said"),
        [
            ('ml.getInput("values").data = new Float32Array(24);', "values.data is read-only"),
            ('ml.getInput("values").shape = new vec3(1, 1, 1);', "values.shape is read-only"),
            ('ml.getInput("values").name = "other";', "values.name is read-only"),
            ('ml.getOutput("picture").texture;', "does not exist before the first run"),
            ('ml.getOutput("picture").data;', "only in mode Data"),
            ('ml.getOutput("all").texture;', "only in mode Texture"),
            ('ml.getInput("nobody");', "no placeholder nobody"),
            ('ml.getInput("values").dat;', "values.dat is not documented"),
            ('ml.getInput("values").dataa = 1;', "values.dataa is not documented"),
            ("ml.state = 1;", "MLComponent.state is read-only"),
            ("ml.build = null;", "MLComponent.build is read-only"),
            ("delete ml.onRunningFinished;", "onRunningFinished cannot be deleted"),
            ("ml.modle = script.model;", "MLComponent.modle is not documented"),
            ("ml.model = {};", "MLComponent.model takes an MLAsset"),
            ("MachineLearning.InferenceMode.Fastest;", "InferenceMode.Fastest is not documented"),
            ("ml.runScheduled(false, T.Update, T.None);", "only with equal start and end"),
            ("ml.runImmediate(false);", "runImmediate(false) is not simulated"),
            ('ml.getInput("values").texture = script.camera; ml.runImmediate(true);', "3 channels"),
        ],
    )
    def test_what_is_not_permitted_is_an_error_that_names_it(self, action, said):
        # Errors of a run come through a callback.
        main = (
            BUILD
            + f"""
        START(() => build((ml) => {{
            ml.onRunningFailed = (error) => {{ throw new Error(error); }};
            {action}
        }}));"""
        )
        assert said in error_of(main)

    def test_data_needs_a_built_model(self):
        main = (
            BUILD
            + """
        START(() => { build(() => {}).getInput("values").data; });"""
        )
        assert "no data before the model is built" in error_of(main)


@needs_node
class TestTransformers:
    def test_flip_y_of_an_output(self):
        plain = f"{TRANSFORMER}\n      - !<MLOutput>"
        flipped = plain.replace("flipY: false", "flipY: true")
        np.testing.assert_allclose(
            drawn_by(meta=(plain, flipped)), expected_picture()[::-1], atol=PICTURE_ATOL
        )

    @pytest.mark.parametrize(("key", "step"), [("flipX", (1, -1)), ("flipY", (-1, 1))])
    def test_flips_of_the_cameras_picture(self, key, step):
        image = np.random.default_rng(0).integers(0, 60, (ROWS, COLUMNS, 3), np.uint8)
        plain = f"{TRANSFORMER}\n        Texture: !<reference> c8d20b6e"
        drawn = drawn_by(
            camera_image=image, meta=(plain, plain.replace(f"{key}: false", f"{key}: true"))
        )
        difference = drawn - drawn_by(camera_image=image)
        turned = image[:: step[0], :: step[1]]
        wanted = (turned.astype(float) - image) / 255
        np.testing.assert_allclose(difference, wanted, atol=PICTURE_ATOL)

    def test_flip_x_by_a_builder(self):
        rebuild = """
        ml.onLoadingFinished = () => ml.runImmediate(true);
        ml.build([MachineLearning.createOutputBuilder().setName("picture")
            .setOutputMode(MachineLearning.OutputMode.Texture)
            .setTransformer(MachineLearning.createTransformerBuilder().setFlipX(true).build())
            .build()]);"""
        np.testing.assert_allclose(
            drawn_by(rebuild), expected_picture()[:, ::-1], atol=PICTURE_ATOL
        )

    @pytest.mark.parametrize(
        "transformer", ["{stretch: false}", "{rotation: Rotate90}"], ids=["stretch", "rotation"]
    )
    def test_what_is_not_simulated_is_refused(self, transformer):
        with pytest.raises(BundleError, match=r"Assets/model.onnx.meta: .* is not simulated"):
            drawn_by(meta=(TRANSFORMER, f"Transformer: {transformer}"))

    def test_flips_of_what_scripts_write_are_refused(self):
        with pytest.raises(BundleError, match="flips are simulated only for textures"):
            drawn_by(meta=("flipX: false", "flipX: true"))
