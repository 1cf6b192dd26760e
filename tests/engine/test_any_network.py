"""Networks that are no CIFAR ResNet, measured: folding, features, logits, cost."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
import torchvision
from networks import CPU, randomise_statistics, small_data
from torch import nn

from engine.contracts.errors import EngineError
from engine.measures.accuracy import evaluate
from engine.measures.classifier import Classifier
from engine.measures.cost import cost_of
from engine.measures.folding import foldable_pairs, for_inference
from engine.measures.latency import latency_ms
from engine.measures.output import output_module_of
from engine.models.outputs import output_of
from engine.models.preparations import prepare
from engine.tasks import Batch, ImageTask
from engine.tasks.images import blank

SIZE = 32
IMAGES = torch.rand(4, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(3))


class PreActivation(nn.Module):
    """conv1 and bn1 are siblings, and bn1 is not conv1's."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.bn1, self.conv1 = nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3, padding=1)
        self.bn2, self.conv2 = nn.BatchNorm2d(6), nn.Conv2d(6, 6, 3, padding=1)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = self.stem(x)
        y = self.conv1(self.bn1(x).relu())
        x = x + self.conv2(self.bn2(y).relu())
        return self.fc(x.mean((2, 3)))


class Shared(nn.Module):
    """A convolution that two batch norms follow, one that runs twice, and one read elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.a, self.b = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4)
        self.twice, self.after = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.tied, self.norm = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.known = [self.tied]
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        y = self.conv(x)
        y = self.a(y) + self.b(y)
        y = self.after(self.twice(self.twice(y)))
        y = self.norm(self.known[0](y)) + self.tied.weight.mean()
        return self.fc(y.mean((2, 3)))


class ByTwoNames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.again = self.conv
        self.hidden = [self.bn]
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(self.hidden[0](self.again(x)).mean((2, 3)))


class Flattening(nn.Module):
    """Views its maps as rows: in channels-last memory that is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3, stride=8), nn.BatchNorm2d(4)
        self.head = nn.Linear(64, 3)

    def forward(self, images):
        return {"logits": self.head(self.bn(self.conv(images)).view(len(images), -1))}


def zoo() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    made = {
        "pre-activation": PreActivation(),
        "shared": Shared(),
        "two names": ByTwoNames(),
        "flattening": Flattening(),
        "resnet18": torchvision.models.resnet18(num_classes=3),
        "mobilenet_v2": torchvision.models.mobilenet_v2(num_classes=3),
        "squeezenet": torchvision.models.squeezenet1_1(num_classes=3),
        "densenet": torchvision.models.DenseNet(4, (3, 3), 8, num_classes=3),
        "vit": torchvision.models.VisionTransformer(SIZE, 8, 2, 2, 16, 32, num_classes=3),
    }
    return {name: randomise_statistics(model, 7) for name, model in made.items()}


NUM_FOLDED = {"pre-activation": 1, "shared": 0, "two names": 1, "flattening": 1, "resnet18": 20,
              "mobilenet_v2": 52, "squeezenet": 0, "vit": 0, "densenet": 7}  # fmt: skip
OUTPUT = {"pre-activation": "fc", "shared": "fc", "two names": "fc", "flattening": "head",
          "resnet18": "fc", "mobilenet_v2": "classifier.1", "squeezenet": "classifier.1",
          "vit": "heads.head", "densenet": "classifier"}  # fmt: skip
WIDTH = {"pre-activation": 6, "shared": 4, "two names": 4, "flattening": 64, "resnet18": 512,
         "mobilenet_v2": 1280, "squeezenet": 512, "vit": 16, "densenet": 22}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NUM_FOLDED))
@torch.inference_mode()
def test_what_is_measured_is_the_network_itself(name):
    model = zoo()[name]
    before = {key: value.clone() for key, value in model.state_dict().items()}
    assert len(foldable_pairs(model, IMAGES)) == NUM_FOLDED[name]
    batch = Batch(IMAGES, torch.zeros(4, dtype=torch.int64), torch.arange(4))
    classifier = Classifier(model, blank((SIZE, SIZE, 3), 2), torch.device("cpu"))
    logits_BK, features_BD, *_ = classifier(batch)
    expected_BK = output_of(model(IMAGES))
    torch.testing.assert_close(logits_BK, expected_BK, rtol=1e-4, atol=1e-4)
    assert output_module_of(model, IMAGES) == OUTPUT[name]
    assert features_BD.shape == (4, WIDTH[name]) and features_BD.dtype == torch.float32
    head = model.get_submodule(OUTPUT[name])
    if isinstance(head, nn.Linear):  # the features are what the classifier makes its scores of
        torch.testing.assert_close(head(features_BD), logits_BK, rtol=1e-4, atol=1e-4)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert all(not module._forward_pre_hooks for module in model.modules())


def test_evaluation_counts_what_the_network_says_and_any_number_of_threads_agree():
    data = small_data(num=300, size=SIZE)
    model = zoo()["flattening"]
    found = evaluate(model, ImageTask(data), "test", CPU)
    twice = evaluate(model, ImageTask(data), "test", type(CPU)("cpu", 2, None))
    assert torch.equal(found.features_MD, twice.features_MD) and found.loss == twice.loss
    assert len(found.predicted_M) == 300
    right = (found.predicted_M == data.test.labels_N).float().mean()
    assert found.accuracy == pytest.approx(100 * float(right))
    assert latency_ms(model, blank(data.image_shape_HWC), CPU) > 0


def test_a_fold_that_names_suggest_and_the_data_flow_does_not_is_not_made():
    model = zoo()["pre-activation"]
    ((conv, norm),) = foldable_pairs(model, IMAGES)
    assert conv is model.conv1 and norm is model.bn2
    x = for_inference(model, IMAGES)
    torch.testing.assert_close(x(IMAGES), model(IMAGES), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("name", "macs"), [("resnet50", 4089.2), ("vit_b_16", 17563.8)])
def test_multiply_accumulates_are_the_published_ones(name, macs):
    with torch.device("meta"):
        model = torchvision.models.get_model(name)
    assert round(cost_of(model, blank((224, 224, 3))).num_macs / 1e6, 1) == macs


def test_attention_is_counted_with_its_fast_path_on_too():
    torch.backends.mha.set_fastpath_enabled(True)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.Sequential(nn.Conv2d(3, 16, 8, 8), nn.Flatten(2), Turned(), layer)
    assert cost_of(model, blank((SIZE, SIZE, 3))).num_macs > 16 * 16 * 32 * 2
    assert torch.backends.mha.get_fastpath_enabled()


class Turned(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2)


@pytest.mark.parametrize("result", [
    torch.ones(2, 3), (torch.ones(2, 3), None), [torch.ones(2, 3)], {"logits": torch.ones(2, 3)},
    OrderedDict(loss=None, logits=torch.ones(2, 3)), {"scores": torch.ones(2, 3)},
])  # fmt: skip
def test_logits_are_found_in_what_networks_usually_give(result):
    assert output_of(result).shape == (2, 3)


@pytest.mark.parametrize(("result", "key", "words"), [
    ({"a": torch.ones(2), "b": torch.ones(2)}, None, r"2 outputs.*--output a"),
    ({"a": torch.ones(2), "b": 3}, "c", r"no output 'c'; it gives 'a'"),
    (None, None, r"no tensor but a NoneType"),
])  # fmt: skip
def test_results_without_logits_are_told_with_the_way_on(result, key, words):
    with pytest.raises(EngineError, match=words):
        output_of(result, key)


def test_one_of_several_results_is_taken_by_its_name_or_number():
    assert output_of({"a": torch.ones(1), "b": torch.zeros(2)}, "b").shape == (2,)
    assert output_of((torch.ones(1), torch.zeros(2)), "1").shape == (2,)


def test_a_network_without_any_weight_is_told():
    with pytest.raises(EngineError, match="no module of the network has a weight"):
        Classifier(nn.Flatten(), blank((SIZE, SIZE, 3), 2), torch.device("cpu"))


@pytest.mark.parametrize(("size", "wanted"), [
    ((12, 8), (6, 4)), ((1, 1), (7, 7)), ((2, 3), (6, 6)), ((7, 5), (3, 2)), ((6, 6), (None, 3)),
    ((6, 6), 3),
])  # fmt: skip
def test_a_pooling_with_an_order_gives_the_same_and_so_does_its_gradient(size, wanted):
    model = nn.Sequential(nn.AdaptiveAvgPool2d(wanted), nn.Flatten())
    results = []
    for prepared in (False, True):
        if prepared:
            assert prepare(model, ["adaptive-pool"]) == ("adaptive-pool",)
        x = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1), requires_grad=True)
        y = model(x)
        (y * torch.arange(y.numel()).view_as(y)).sum().backward()
        results.append((y, x.grad))
    for before, after in zip(*results, strict=True):
        torch.testing.assert_close(before, after)


def test_pooling_to_one_pixel_stays():
    assert prepare(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d((1, 1)))) == ()
