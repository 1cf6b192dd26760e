"""Which module's input is a network's representation, where modules have weights inside and out."""

from __future__ import annotations

import pytest
import torch
import torchvision
from networks import randomise_statistics
from torch import nn

from engine.measures.classifier import Classifier
from engine.measures.output import output_module_of
from engine.models.preparations import prepare
from engine.pruning.structure.find import find_structure
from engine.tasks import Batch

IMAGES = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(3))


class Body(nn.Sequential):
    """Eight numbers an image."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 12, 3, padding=1), nn.ReLU(), nn.Conv2d(12, 8, 3), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        )  # fmt: skip


class Headed(nn.Module):
    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.body, self.head = Body(), head

    def forward(self, images):
        return self.head(self.body(images))


class Scaled(nn.Module):
    """A dense layer whose classes are scaled: its own weight comes last."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.fc = nn.Parameter(torch.rand(1, 5) + 0.5), nn.Linear(8, 5)

    def forward(self, x):
        return self.fc(x) * self.scale


class Projected(nn.Module):
    """Its own weight comes first, and makes six numbers of eight."""

    def __init__(self) -> None:
        super().__init__()
        self.projection, self.fc = nn.Parameter(torch.randn(8, 6)), nn.Linear(6, 5)

    def forward(self, x):
        return self.fc((x @ self.projection).relu())


class Normed(nn.Module):
    """Nothing inside it has a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.projection = nn.LayerNorm(8), nn.Parameter(torch.randn(8, 5))

    def forward(self, x):
        return self.norm(x) @ self.projection


class Gated(nn.Module):
    """What is inside it makes no class scores, and something else runs after it."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.projection = nn.Linear(8, 8), nn.Parameter(torch.randn(8, 5))

    def forward(self, x):
        return (x * self.gate(x).sigmoid()) @ self.projection


class WithAnother(Headed):
    """Runs a second classifier, whose scores it does not give."""

    def __init__(self) -> None:
        super().__init__(Gated())
        self.another = nn.Linear(12, 5)

    def forward(self, images):
        scores = self.head(self.body(images))
        self.another(self.body[0](images).mean((2, 3)))
        return scores


class Attending(nn.Module):
    """Attention comes last: torch's own uses the weights inside it without calling the modules."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.attention = Body(), nn.MultiheadAttention(8, 2, batch_first=True)
        self.stem = nn.Linear(8, 8)

    def forward(self, images):
        tokens = self.stem(self.body(images))[:, None]
        return self.attention(tokens, tokens, tokens, need_weights=False)[0][:, 0]


class Prepared(Attending):
    def __init__(self) -> None:
        super().__init__()
        prepare(self)


class Probable(nn.Module):
    """A network in another's place whose class token is a weight of its own; it gives odds."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torchvision.models.VisionTransformer(16, 8, 2, 2, 16, 32, num_classes=5)

    def forward(self, images):
        return self.net(images).softmax(1)


def wrapped() -> nn.Module:
    return nn.Sequential(torchvision.models.VisionTransformer(16, 8, 2, 2, 16, 32, num_classes=5))


CASES = {
    "a scale around a dense layer": (lambda: Headed(Scaled()), "head.fc", 8),
    "a projection before a dense layer": (lambda: Headed(Projected()), "head.fc", 6),
    "a norm before its own projection": (lambda: Headed(Normed()), "head", 8),
    "a gate, and another classifier": (WithAnother, "head.gate", 8),
    "torch's attention": (Attending, "attention", 8),
    "attention whose heads can go": (Prepared, "attention.out_proj", 8),
    "a network inside another": (wrapped, "0.heads.head", 16),
    "odds of a network inside another": (Probable, "net.heads.head", 16),
}


@pytest.mark.parametrize("name", CASES)
def test_the_structure_tells_the_module_whose_input_similarity_compares(name):
    make, output, width = CASES[name]
    torch.manual_seed(0)
    model = randomise_statistics(make(), 1).eval()
    if name not in ("torch's attention", "attention whose heads can go"):
        prepare(model)
    assert output_module_of(model, IMAGES) == output
    assert find_structure(model, IMAGES).output_module == output
    batch = Batch(IMAGES, torch.zeros(3, dtype=torch.int64), torch.arange(3))
    with torch.inference_mode():
        rows = Classifier(model, batch, torch.device("cpu"))(batch)
        heard = []
        handle = model.get_submodule(output).register_forward_pre_hook(
            lambda module, inputs: heard.append(inputs[0])
        )
        model(IMAGES)
        handle.remove()
    assert rows.features_MD.shape == (3, width)
    torch.testing.assert_close(rows.features_MD, heard[-1].reshape(3, -1, width).mean(1))
