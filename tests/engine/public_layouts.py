"""Networks for small images with tensors named as public repositories name them, made apart from
our families: of torchvision's modules where it has them, small otherwise."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

CLASSES = 3


class Named(nn.Module):
    """Modules by names with dots, and a function of them and the images."""

    def __init__(self, modules: dict[str, nn.Module], forward) -> None:
        super().__init__()
        for name, module in modules.items():
            parent: nn.Module = self
            *path, last = name.split(".")
            for part in path:
                if part not in dict(parent.named_children()):
                    parent.add_module(part, nn.Module())
                parent = parent.get_submodule(part)
            parent.add_module(last, module)
        self._of = forward

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self._of(self.get_submodule, images_BCHW)


def conv(i: int, o: int, k: int = 3, s: int = 1, bias: bool = False, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(i, o, k, s, k // 2, groups=groups, bias=bias)


# ------------------------------------------------------------ VGG


def vgg_features(widths, batch_norm: bool = True) -> nn.Sequential:
    return models.vgg.make_layers(widths, batch_norm)


def vgg_kuangliu(batch_norm: bool = True) -> nn.Module:
    """`features.N` and one dense layer called `classifier`; a 1×1 mean stands at the end."""
    features = vgg_features([6, "M", 7, "M", 8, 8, "M", 9, 9, "M", 9, 8, "M"], batch_norm)
    features.append(nn.AvgPool2d(1, 1))
    parts = {"features": features, "classifier": nn.Linear(8, CLASSES)}
    return Named(parts, lambda get, x: get("classifier")(get("features")(x).flatten(1)))


def vgg_chenyaofo() -> nn.Module:
    """torchvision's, with hidden layers less wide, on maps of one pixel."""
    return _vgg_of(
        nn.Linear(8, 10), nn.ReLU(), nn.Dropout(), nn.Linear(10, 11), nn.ReLU(), nn.Dropout(),
        nn.Linear(11, CLASSES),
    )  # fmt: skip


def vgg_dropout_first() -> nn.Module:
    return _vgg_of(
        nn.Dropout(), nn.Linear(8, 10), nn.ReLU(), nn.Dropout(), nn.Linear(10, 11), nn.ReLU(),
        nn.Linear(11, CLASSES),
    )  # fmt: skip


def _vgg_of(*dense: nn.Module) -> nn.Module:
    features = vgg_features([6, "M", 7, "M", 8, "M", 9, "M", 8, "M"])
    parts = {"features": features, "classifier": nn.Sequential(*dense)}
    return Named(parts, lambda get, x: get("classifier")(get("features")(x).flatten(1)))


def vgg_of_four_pools() -> nn.Module:
    """`feature.N` without biases, and a mean over the 2×2 pixels that four pools leave."""
    layers: list[nn.Module] = []
    for out, width in ((6, 3), ("M", 0), (7, 6), ("M", 0), (8, 7), ("M", 0), (9, 8), ("M", 0),
                       (8, 9)):  # fmt: skip
        if out == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [conv(width, out), nn.BatchNorm2d(out), nn.ReLU()]
    parts = {"feature": nn.Sequential(*layers), "classifier": nn.Linear(8, CLASSES)}

    def forward(get, x):
        return get("classifier")(F.avg_pool2d(get("feature")(x), 2).flatten(1))

    return Named(parts, forward)


# ------------------------------------------------------------ ResNets


class SmallResNet(ResNet):
    """torchvision's ResNet with a 3×3 stem, without its max-pool, an eighth as wide."""

    def __init__(self, block, layers) -> None:
        super().__init__(block, layers, num_classes=CLASSES)
        self.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        self.maxpool = nn.Identity()
        self.fc = nn.Linear(64 * block.expansion, CLASSES)

    def _make_layer(self, block, planes, blocks, stride=1, dilate=False) -> nn.Sequential:
        return super()._make_layer(block, planes // 8, blocks, stride, dilate)


def resnet50_downsample() -> nn.Module:
    return SmallResNet(Bottleneck, [1, 2, 1, 1])


def renamed_resnet(model: nn.Module, style: str) -> dict[str, Tensor]:
    """A torchvision ResNet's tensors as others call them."""
    found = {}
    for name, tensor in model.state_dict().items():
        if style == "kuangliu":
            name = name.replace("downsample", "shortcut").replace("fc.", "linear.")
        else:  # weiaicunzai
            name = "conv1.0." + name[6:] if name.startswith("conv1.") else name
            name = "conv1.1." + name[4:] if name.startswith("bn1.") else name
            for stage in range(1, 5):
                name = name.replace(f"layer{stage}.", f"conv{stage + 1}_x.")
            for k in range(3):
                name = name.replace(f".conv{k + 1}.", f".residual_function.{3 * k}.")
                name = name.replace(f".bn{k + 1}.", f".residual_function.{3 * k + 1}.")
            name = name.replace("downsample", "shortcut")
        found[name] = tensor
    return found


def resnet18_plain() -> nn.Module:
    return SmallResNet(BasicBlock, [2, 2, 2, 2])


def preact(
    block: str, shortcut: str, *, widths=(6, 8, 10), stem=6, blocks=(2, 1, 2), last="linear",
    final_norm=False, bias=False, of_input=False, second=False, deep=False,
) -> nn.Module:  # fmt: skip
    """Batch norms before convolutions; names of blocks by a template."""
    parts: dict[str, nn.Module] = {"conv1": conv(3, stem, bias=bias)}
    plan, width = [], stem
    for stage, (out, count) in enumerate(zip(widths, blocks, strict=True)):
        for index in range(count):
            at = block.format(stage + 1, index) + "."
            stride = 2 if stage and not index else 1
            end = 4 * out if deep else out
            s1, s2 = (1, stride) if second or deep else (stride, 1)
            kernel = 1 if deep else 3
            parts |= {
                at + "bn1": nn.BatchNorm2d(width), at + "conv1": conv(width, out, kernel, s1, bias),
                at + "bn2": nn.BatchNorm2d(out), at + "conv2": conv(out, out, 3, s2, bias),
            }  # fmt: skip
            if deep:
                parts |= {at + "bn3": nn.BatchNorm2d(out), at + "conv3": conv(out, end, 1)}
            projects = stride == 2 or width != end
            if projects:
                parts[at + shortcut] = conv(width, end, 1, stride, bias)
            plan.append((at, projects))
            width = end
    if final_norm:
        parts["bn1"] = nn.BatchNorm2d(width)
    parts[last] = nn.Linear(width, CLASSES)

    def forward(get, x):
        x = get("conv1")(x)
        for at, projects in plan:
            active = get(at + "bn1")(x).relu()
            new = get(at + "conv2")(get(at + "bn2")(get(at + "conv1")(active)).relu())
            if deep:
                new = get(at + "conv3")(get(at + "bn3")(new).relu())
            x = new + (get(at + shortcut)(x if of_input else active) if projects else x)
        x = get("bn1")(x).relu() if final_norm else x
        return get(last)(x.mean((2, 3)))

    return Named(parts, forward)


def preact_kuangliu(deep: bool = False) -> nn.Module:
    return preact("layer{}.{}", "shortcut.0", deep=deep)


def wide_xternalz() -> nn.Module:
    return preact("block{}.layer.{}", "convShortcut", last="fc", final_norm=True)


def wide_meliketoy() -> nn.Module:
    return preact("layer{}.{}", "shortcut.0", final_norm=True, bias=True, of_input=True,
                  second=True)  # fmt: skip


# ------------------------------------------------------------ DenseNet


def densenet(style: str, inner: int = 8, growth: int = 3) -> nn.Module:
    """kuangliu's puts the newest channels first; andreasveit's last."""
    first = style == "kuangliu"
    block = "dense{}.{}." if first else "block{}.layer.{}."
    one = "" if first else "1"
    parts: dict[str, nn.Module] = {"conv1": conv(3, 6)}
    width = 6
    for number in (1, 2, 3):
        for index in range(2):
            at = block.format(number, index)
            parts[at + "bn1"] = nn.BatchNorm2d(width)
            parts[at + "conv1"] = conv(width, inner or growth, 1 if inner else 3)
            if inner:
                parts |= {at + "bn2": nn.BatchNorm2d(inner), at + "conv2": conv(inner, growth)}
            width += growth
        if number < 3:
            parts[f"trans{number}.bn{one}"] = nn.BatchNorm2d(width)
            parts[f"trans{number}.conv{one}"] = conv(width, width // 2, 1)
            width //= 2
    parts["bn" + one] = nn.BatchNorm2d(width)
    last = "linear" if first else "fc"
    parts[last] = nn.Linear(width, CLASSES)

    def forward(get, x):
        x = get("conv1")(x)
        for number in (1, 2, 3):
            for index in range(2):
                at = block.format(number, index)
                new = get(at + "conv1")(get(at + "bn1")(x).relu())
                new = get(at + "conv2")(get(at + "bn2")(new).relu()) if inner else new
                x = torch.cat([new, x] if first else [x, new], 1)
            if number < 3:
                at = f"trans{number}."
                x = F.avg_pool2d(get(f"{at}conv{one}")(get(f"{at}bn{one}")(x).relu()), 2)
        return get(last)(get("bn" + one)(x).relu().mean((2, 3)))

    return Named(parts, forward)


# ------------------------------------------------------------ MobileNetV2

DEPTHS, STRIDES = (1, 2, 3, 4, 3, 3, 1), (1, 1, 2, 2, 1, 2, 1)


def mobilenet_chenyaofo(stem_stride: int = 1, second: int = 1) -> nn.Module:
    """torchvision's, a quarter as wide, with the strides for small images."""
    strides = (1, second, *STRIDES[2:])
    setting = [
        [1 if k == 0 else 6, width, count, stride]
        for k, (width, count, stride) in enumerate(
            zip((16, 24, 32, 64, 96, 160, 320), DEPTHS, strides, strict=True)
        )
    ]
    model = models.MobileNetV2(CLASSES, width_mult=0.25, inverted_residual_setting=setting)
    model.features[0][0].stride = (stem_stride, stem_stride)
    return model


def mobilenet_kuangliu() -> nn.Module:
    """Every block has a 1×1 convolution at its start, and one in its shortcut where it keeps the
    size of its maps and not their number; ReLU."""
    parts: dict[str, nn.Module] = {"conv1": conv(3, 8), "bn1": nn.BatchNorm2d(8)}
    plan, width = [], 8
    outs = (4, 6, 8, 12, 14, 16, 18)
    for stage, (out, count) in enumerate(zip(outs, DEPTHS, strict=True)):
        for index in range(count):
            at, stride = f"layers.{len(plan)}.", STRIDES[stage] if index == 0 else 1
            inner = width * (1 if stage == 0 else 2)
            parts |= {
                at + "conv1": conv(width, inner, 1), at + "bn1": nn.BatchNorm2d(inner),
                at + "conv2": conv(inner, inner, 3, stride, groups=inner),
                at + "bn2": nn.BatchNorm2d(inner),
                at + "conv3": conv(inner, out, 1), at + "bn3": nn.BatchNorm2d(out),
            }  # fmt: skip
            projects = stride == 1 and width != out
            if projects:
                parts[at + "shortcut.0"] = conv(width, out, 1)
                parts[at + "shortcut.1"] = nn.BatchNorm2d(out)
            plan.append((at, stride, projects))
            width = out
    parts |= {"conv2": conv(width, 32, 1), "bn2": nn.BatchNorm2d(32), "linear": nn.Linear(32, 3)}

    def forward(get, x):
        x = get("bn1")(get("conv1")(x)).relu()
        for at, stride, projects in plan:
            new = get(at + "bn1")(get(at + "conv1")(x)).relu()
            new = get(at + "bn2")(get(at + "conv2")(new)).relu()
            new = get(at + "bn3")(get(at + "conv3")(new))
            if stride == 1:
                new = new + (get(at + "shortcut.1")(get(at + "shortcut.0")(x)) if projects else x)
            x = new
        return get("linear")(get("bn2")(get("conv2")(x)).relu().mean((2, 3)))

    return Named(parts, forward)
