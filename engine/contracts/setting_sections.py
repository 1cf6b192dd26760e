"""The sections of a run's settings, each checked when made. A new setting is one field here."""

from __future__ import annotations

from dataclasses import dataclass

from engine.contracts.loaders import (
    AUTO,
    FROM_DATA,
    FROM_FILE,
    LOADERS,
    VALIDATION_FROM,
    validation_file,
)
from engine.contracts.methods import (
    ALLOCATIONS,
    CRITERIA,
    OWN,
    RECOVERIES,
    REPAIRS,
    SEARCHES,
    SIMILARITIES,
    name_in,
)
from engine.contracts.methods.arguments import SUBSETS, check_recovery, share_in
from engine.contracts.networks import Reading
from engine.contracts.options import (
    Option,
    check_name,
    check_settings,
    setting,
)
from engine.contracts.references import is_own_method

MATCHES = ("filters", "macs", "params")
LAYERS = ("blocks", "halves")
UNITS = ("inner", "all")
POLICIES = ("cka", "random", "layers", "filters", "layers-first")
OPTIMISERS = ("sgd", "adamw")
SCHEDULES = ("step", "cosine", "one-cycle")
REPRESENTATIONS = ("penultimate", "stages", "all")
RANK_BY = ("mean", "lower")
TEACHERS = ("none", "parent", "root", "parent:features", "root:features")
NO_SECOND = "none"
NORMS = ("train", "frozen")
PROTOCOLS = ("default", "paper")
SPLITS = ("validation", "test")


class Checked:
    """A section whose values are checked against their options when it is made."""

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class DataSettings(Checked):
    """Which images a tree is grown on."""

    source: str = setting(
        "sample",
        Option(
            "data",
            "A name (cifar10, fashion-mnist, sample, …), a folder or .zip of "
            "train/<class>/* and test/<class>/*, a folder of tar shards, or an .npz",
            unset="what the checkpoint names",
        ),
    )
    train_limit: int | None = setting(
        None,
        Option("train_limit", "Train on so many images only (a stratified subset)",
               low=1, high=10**9),
    )  # fmt: skip
    image_size: int | None = setting(
        None,
        Option("image_size", "Bring images to this height and width", low=1, high=4096),
    )
    resize: int | None = setting(
        None,
        Option("resize", "The shorter side before the middle is cut out; --image-size if not given",
               low=1, high=8192),
    )  # fmt: skip
    loader: str = setting(
        AUTO,
        Option("loader", "Images in memory, or decoded when they are needed; auto: by their size",
               choices=LOADERS),
    )  # fmt: skip
    transforms: str | None = setting(
        None,
        Option("transforms", "A package.module:function of yours that prepares streamed images",
               unset="crops and flips"),
    )  # fmt: skip
    validation_from: str = setting(
        FROM_DATA,
        Option("validation_from", "The images that decide: the data's own, or, where the network "
               "has seen these, half of the test images or a file or folder of yours",
               choices=VALIDATION_FROM, beside="FILE"),
    )  # fmt: skip

    @property
    def reading(self) -> Reading:
        """How the images are read, where nobody has looked at them yet."""
        return Reading(
            self.train_limit, self.image_size, self.resize, self.loader,
            validation_from=FROM_FILE if self.validation_file else self.validation_from,
        )  # fmt: skip

    @property
    def validation_file(self) -> str:
        """Where a person's own validation images lie; empty where there are none."""
        return validation_file(self.validation_from)


@dataclass(frozen=True)
class ScoringSettings(Checked):
    """How structures are ranked, and what candidates lose."""

    criterion: str = setting(
        "kl",
        Option(
            "criterion",
            "What ranks blocks and filters (kl: of CIFAR ResNets; unless given, of other networks "
            "kl-fast, with attention kl-fisher)",
            choices=tuple(CRITERIA),
            beside=OWN,
        ),
    )
    criterion_samples: int = setting(
        500,
        Option(
            "criterion_samples",
            "Training images a class to score with (of other networks 500 in all)",
            low=1,
            high=10**6,
        ),
    )
    match: str = setting(
        "filters",
        Option(
            "match",
            "What both candidates lose as much of (filters: of CIFAR ResNets; of other "
            "networks macs)",
            choices=MATCHES,
        ),
    )
    allocation: str = setting(
        "uniform", Option("allocation", "From where filters go", choices=tuple(ALLOCATIONS))
    )
    min_blocks: int = setting(
        2, Option("min_blocks", "Blocks that stay in each stage", low=1, high=10**4)
    )
    layers: str = setting(
        "blocks",
        Option(
            "layers",
            "What a layer is (halves: of a Transformer's layers the attention or the MLP alone)",
            choices=LAYERS,
        ),
    )
    units: str = setting(
        "inner",
        Option(
            "units",
            "Which units may go (all: channels of a residual stream too)",
            choices=UNITS,
        ),
    )
    rank_by: str = setting(
        "mean",
        Option("rank_by", "A structure's mean score, or the lower end of its 95 % interval over "
               "images (the mean, where a criterion looks at none)", choices=RANK_BY),
    )  # fmt: skip
    keep_fraction: float = setting(
        0.0,
        Option("keep_fraction", "Of the units that a group had before any edit, such a share stays",
               low=0, high=1),
    )  # fmt: skip
    round_to: int = setting(
        1, Option("round_to", "Groups keep a multiple of so many units", low=1, high=10**4)
    )
    keep: str | None = setting(
        None,
        Option("keep", "Blocks and groups that stay as they are: patterns such as layer1.*, commas "
               "between"),
    )  # fmt: skip
    blocks_per_step: int = setting(
        1,
        Option("blocks_per_step", "Blocks a layer candidate loses at once", low=1, high=10**4),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_own_method(self.criterion):
            check_name("criterion", self.criterion, CRITERIA)


@dataclass(frozen=True)
class SimilaritySettings(Checked):
    """How a candidate's representation is compared with its parent's."""

    measure: str = setting("cka", Option("similarity", "The measure", choices=tuple(SIMILARITIES)))
    split: str = setting(
        "validation", Option("similarity_split", "The images it is measured on", choices=SPLITS)
    )
    num_resamples: int = setting(
        200, Option("num_resamples", "Resamples of the margin's interval", low=0, high=10**5)
    )
    representation: str = setting(
        "penultimate",
        Option("representation", "The layers that are compared: before the classifier, the ends "
               "of the stages, or all blocks (of several, the mean)", choices=REPRESENTATIONS),
    )  # fmt: skip
    second: str = setting(
        NO_SECOND,
        Option("second_similarity", "A second opinion beside the measure",
               choices=(NO_SECOND, *SIMILARITIES)),
    )  # fmt: skip


@dataclass(frozen=True)
class TrainingSettings(Checked):
    """How candidates recover and kept nodes are tuned. Epochs are passes over the training images.

    `tune_epochs` is the whole fine-tuning of a kept node; the recovery epochs it has had already
    are discounted from it.
    """

    recovery_epochs: int = setting(
        10, Option("recovery_epochs", "Epochs before candidates are compared", low=0, high=10**5)
    )
    tune_epochs: int = setting(
        30,
        Option("tune_epochs", "Epochs of a kept node in all, recovery counted in",
               low=0, high=10**5),
    )  # fmt: skip
    learning_rate: float = setting(
        0.01, Option("learning_rate", "Of fine-tuning", low=1e-9, high=100)
    )
    batch_size: int = setting(128, Option("batch_size", "Images a step", low=2, high=10**6))
    weight_decay: float = setting(5e-4, Option("weight_decay", "L2 penalty", low=0, high=1))
    optimiser: str = setting(
        "sgd", Option("optimiser", "What changes the weights", choices=OPTIMISERS)
    )
    schedule: str = setting(
        "step", Option("schedule", "How the learning rate falls", choices=SCHEDULES)
    )
    warmup_epochs: float = setting(
        0.0, Option("warmup_epochs", "In which the learning rate rises", low=0, high=10**5)
    )
    label_smoothing: float = setting(
        0.0, Option("label_smoothing", "Of the labels, spread over all classes", low=0, high=0.99)
    )
    mixup: float = setting(
        0.0, Option("mixup", "Alpha of mixup: images mixed in pairs; 0 for none", low=0, high=100)
    )
    accumulate: int = setting(
        1, Option("accumulate", "Parts of a batch that go through one by one", low=1, high=10**5)
    )
    norms: str = setting(
        "train", Option("norms", "Whether batch norms take statistics", choices=NORMS)
    )
    repair: str = setting(
        "none",
        Option("repair", "What is mended of a candidate before it recovers",
               choices=tuple(REPAIRS)),
    )  # fmt: skip
    recover: str = setting(
        "full",
        Option("recover", "What is trained of a candidate until it is compared",
               choices=tuple(RECOVERIES), argument="lora:RANK"),
    )  # fmt: skip
    distill: str = setting(
        "none",
        Option("distill", "Whose answers (or features too) are learnt beside the labels",
               choices=TEACHERS),
    )  # fmt: skip
    train_subset: str | None = setting(
        None,
        Option("train_subset", "Recover on a share of each class's training images, drawn or "
               "(el2n) those that are hardest for the parent", choices=SUBSETS,
               argument="el2n:SHARE"),
    )  # fmt: skip
    recovery_steps: int | None = setting(
        None,
        Option("recovery_steps", "End recovery after so many steps of the optimiser",
               low=1, high=10**9),
    )  # fmt: skip
    clip_norm: float = setting(
        0.0, Option("clip_norm", "Longest gradient; 0 for any", low=0, high=10**6)
    )
    hopeless: float | None = setting(
        None,
        Option("hopeless", "End the recovery of a candidate that is, halfway through it, so many "
               "points of validation accuracy below its parent", low=0, high=100),
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        check_recovery(self.recover)
        share_in(self.train_subset)

    @property
    def teacher(self) -> str:
        """Whose answers are learnt: `none`, `parent` or `root`."""
        return name_in(self.distill)

    @property
    def total_epochs(self) -> int:
        """The length of the schedule that recovery and tuning share."""
        return max(self.recovery_epochs, self.tune_epochs)


@dataclass(frozen=True)
class SearchSettings(Checked):
    """Which candidates are kept, and when it is enough."""

    policy: str = setting("cka", Option("policy", "Who decides", choices=POLICIES))
    layer_bonus: float = setting(
        0.0, Option("layer_bonus", "Added to the layer candidate's similarity", low=-1, high=1)
    )
    iterations: int = setting(
        5,
        Option("iterations", "Depth of the tree", low=1, high=10**6, short="n", stops=True),
    )
    max_drop: float | None = setting(
        None,
        Option("max_drop", "Stop once validation accuracy is this many points below the root's",
               low=0, high=100, stops=True),
    )  # fmt: skip
    target_macs: float | None = setting(
        None,
        Option("target_macs", "Stop once this percentage of the multiply-accumulates is gone",
               low=0, high=100, stops=True),
    )  # fmt: skip
    target_params: float | None = setting(
        None,
        Option("target_params", "Stop once this percentage of the parameters is gone",
               low=0, high=100, stops=True),
    )  # fmt: skip
    strategy: str = setting(
        "greedy",
        Option("search", "In which order the tree is grown", choices=tuple(SEARCHES), stops=True),
    )
    beam_width: int = setting(
        2, Option("beam_width", "Nodes that a beam keeps a step", low=1, high=1000, stops=True)
    )
    max_epochs: int | None = setting(
        None,
        Option("max_epochs", "Stop once the tree was trained for so many epochs in all",
               low=1, high=10**9, stops=True),
    )  # fmt: skip
    confirm: int = setting(
        0,
        Option("confirm", "Where a decision is too close, recover both candidates with up to so "
               "many other seeds", low=0, high=100),
    )  # fmt: skip
