"""What a notebook does, from photos to a proven bundle; `test_notebook` runs it as a script."""

import mobile_nelf as mn

scene = mn.read_scene("scene")
run = mn.train(
    scene, "mic.pt", preset="tiny", teacher_steps=20, steps=6, photo_steps=2, device="cpu"
)
print(run)
frame = run.checkpoint.render(azimuth=30, elevation=20)
print(frame.shape, frame.dtype)
print(mn.evaluate(run.checkpoint, scene))
bundle = mn.bundle(run.checkpoint, "mic-coreml", target="coreml", weights=("fp16", "palette6"))
print(bundle)
verified = mn.verify(bundle.path)
print(verified)
assert verified.passed
print(mn.compare("mic.pt", bundle.path))
try:
    mn.render("mic.pt", "mic.pt")
except mn.errors.OutputError as error:
    print(error)
