"""The network in training: its step, its moving average and what of it must be saved."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mobile_nelf.compute import image_format, reduced_precision
from mobile_nelf.pruning.shrink import Mark, shrink
from mobile_nelf.seeding import seeded
from mobile_nelf.students import StudentConfig, build_student
from mobile_nelf.students.blocks import ConvBlock, HeadBodyTail
from mobile_nelf.training.config import FitConfig
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.student.capture import CapturedStep
from mobile_nelf.training.student.collapse import batch_statistics
from mobile_nelf.training.student.losses import student_loss
from mobile_nelf.training.student.optimizer import build_optimizers, schedule
from mobile_nelf.training.views.patches import Patches

__all__ = ["Learner"]

#: All blocks share one function, which is compiled for each width and size of patches in a process.
COMPILED_SHAPES = 256


class Learner:
    """A student, its average and its optimizer on this process's device."""

    def __init__(
        self,
        student: StudentConfig,
        config: FitConfig,
        ranks: Ranks,
        initial: Mapping[str, Tensor] | None = None,
        *,
        teacher: nn.Module | None = None,
        taught: int = 0,
        masks: Mapping[str, Tensor] | None = None,
        tied: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Builds the network.

        Args:
            student: its shape.
            config: the run.
            ranks: this process; with several, gradients are averaged over all.
            initial: weights to start from instead of fresh ones.
            teacher: a student whose colours on the very same rays are learnt in place of pixels.
            taught: how many patches of each batch, the first ones, have that teacher.
            masks: 0 where a weight stays 0, by the weight's name.
            tied: the number of the table's value that a weight has, by the weight's name. Weights
                of one value get the mean of their gradients, which AdamW keeps together.
        """
        self._student = student
        self._config = config
        self._device = ranks.device
        with seeded(config.seed):
            network = build_student(student)
        if initial is not None:
            network.load_state_dict(initial)
        network.train()
        if config.train_only == "tail":
            for frozen in (network.products, network.head, network.body):
                if frozen is not None:
                    frozen.requires_grad_(False).eval()
        if ranks.world > 1 and ranks.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        self.network: HeadBodyTail = network.to(
            ranks.device,
            memory_format=image_format(ranks.device),  # type: ignore[call-overload]  # absent in torch's types
        )
        #: Moving average of weights and BatchNorm statistics, which is what is saved.
        self.average: HeadBodyTail = copy.deepcopy(self.network).eval().requires_grad_(False)
        self._optimizers = build_optimizers(self.network, config)
        self._teacher = None if teacher is None else teacher.eval().to(ranks.device)
        self._taught = taught
        parameters = dict(self.network.named_parameters())
        self._masked = [
            (parameters[name], mask.to(ranks.device)) for name, mask in (masks or {}).items()
        ]
        self._tied = [
            (parameters[name], places.flatten().to(ranks.device), int(places.max()) + 1)
            for name, places in (tied or {}).items()
        ]
        self._marked: list[tuple[nn.Parameter, Mark]] = []
        self._model: nn.Module = self.network
        if ranks.world > 1:
            self._model = DistributedDataParallel(self.network)
        elif ranks.device.type == "cuda":
            for module in self.network.modules():
                if isinstance(module, ConvBlock):
                    module.compile(fullgraph=True, dynamic=False)
        self._captured: CapturedStep | None = None

    def follow(self, config: FitConfig) -> None:
        """Takes the settings of a run whose length was not known at its start."""
        self._config = config

    def mark(self, marks: Sequence[Mark]) -> None:
        """Lets parts of parameters shrink after each step from now on."""
        parameters = dict(self.network.named_parameters())
        self._marked = [
            (parameters[mark.name], replace(mark, projector=mark.projector.to(self._device)))
            for mark in marks
        ]

    def step(self, step: int, patches: Patches) -> Tensor:
        """Takes one optimizer step and returns `batch_statistics` of what was seen before it."""
        statistics = self._whole_step(step, patches)
        with torch.no_grad():
            for parameter, mark in self._marked:
                shrink(parameter, mark, step, self._config.steps)
        return statistics

    def _whole_step(self, step: int, patches: Patches) -> Tensor:
        self._optimizers.set_factor(schedule(step, self._config))
        patches = patches.to(self._device)
        # Processes that average gradients talk to each other, which is not captured.
        if self._device.type != "cuda" or self._model is not self.network:
            return self._step(patches)
        if self._captured is None:
            with torch._dynamo.config.patch(recompile_limit=COMPILED_SHAPES):
                self._captured = CapturedStep(self._step, patches, self._tensors)
        return self._captured(patches)

    def _step(self, patches: Patches) -> Tensor:
        encoded = patches.encoded(self._student.encoder)
        target = patches.targets(self._student.out_channels)
        with reduced_precision(self._device, wanted=self._config.precision == "bf16"):
            if self._teacher is not None:
                with torch.no_grad():
                    shown = self._teacher(encoded[: self._taught]).float()
                target = torch.cat([shown, target[self._taught :]])
            prediction = self._model(encoded)
        loss = student_loss(prediction.float(), target, self._config)
        torch.autograd.backward(loss)
        self._tie_gradients()
        self._optimizers.step()
        with torch.no_grad():
            for parameter, mask in self._masked:
                parameter.mul_(mask)
        self._update_average()
        return batch_statistics(prediction, target)

    @torch.no_grad()
    def _tie_gradients(self) -> None:
        for parameter, places, values in self._tied:
            gradient = parameter.grad
            if gradient is not None:
                sums = gradient.new_zeros(values).index_add_(0, places, gradient.flatten())
                counts = torch.bincount(places, minlength=values)
                gradient.copy_((sums / counts)[places].view(gradient.shape))

    @torch.no_grad()
    def _update_average(self) -> None:
        averaged, present = self.average.state_dict(), self.network.state_dict()
        floating = [name for name, value in present.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [averaged[name] for name in floating],
            [present[name] for name in floating],
            1.0 - self._config.ema_decay,
        )

    def _tensors(self) -> list[Tensor]:
        """Everything that a step changes."""
        networks = [*self.network.state_dict().values(), *self.average.state_dict().values()]
        return [*networks, *self._optimizers.tensors()]

    def averaged_weights(self) -> dict[str, Tensor]:
        """Returns a copy of the averaged weights on the CPU, under the network's own names."""
        averaged = self.average.state_dict()
        return {
            # Counters do not average.
            name: (averaged[name] if value.is_floating_point() else value)
            .detach()
            .to("cpu", copy=True)
            .contiguous()
            for name, value in self.network.state_dict().items()
        }

    def finite(self) -> bool:
        """Whether all weights still are numbers."""
        return all(bool(value.isfinite().all()) for value in self.network.state_dict().values())

    def state(self) -> dict[str, Any]:
        """Returns what a resumed run needs."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": self._optimizers.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes what `state` returned."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self._optimizers.load_state_dict(state["optimizers"])
