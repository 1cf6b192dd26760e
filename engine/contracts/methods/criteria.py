"""What ranks blocks and units. `engine.pruning.criteria` does it."""

from __future__ import annotations

from engine.contracts.methods.method import Method, by_name

CRITERIA = by_name((
    Method("kl", "The mean KL divergence of the network's answers without a structure from those "
           "with it, exact", "the paper, Eq. 4", looked_at="exact, {items}"),
    Method("kl-fast", "The same, estimated where it is small", "the paper, Eq. 4; our estimate",
           looked_at="estimated where it is small, {items}"),
    Method("kl-fisher", "The same to second order in what a unit gives, from gradients",
           "Theis et al. (2018)", looked_at="estimated from gradients, {items}"),
    Method("l1", "The mean absolute weight of what makes a unit", "Li et al. (2017)",
           looked_at="the weights alone"),
    Method("l2", "The root of the mean square weight of what makes a unit",
           "He et al. (2018), soft filter pruning", looked_at="the weights alone"),
    Method("bn-scale", "The mean absolute scale of the batch norms that a unit goes through",
           "Liu et al. (2017), network slimming", "networks with batch norms",
           "the scales of batch norms alone"),
    Method("fpgm", "The distances of a unit's weights to those of the others of its group",
           "He et al. (2019), Eq. 5", looked_at="the weights alone"),
    Method("random", "Drawn by the seed: what every other one has to beat", "Liu et al. (2022)",
           looked_at="nothing"),
    Method("taylor", "By how much the loss changes without a unit, to first order",
           "Molchanov et al. (2017), Eq. 8", looked_at="estimated from gradients, {items}"),
    Method("taylor-act", "That change times the norm of what the unit gives",
           "Das et al. (2023), GBLM, Eq. 4",
           looked_at="estimated from gradients and activations, {items}"),
    Method("activation", "The weights that read a unit times the norm of what they read",
           "Sun et al. (2024), Wanda, Eq. 1", looked_at="weights and activations, {items}"),
    Method("fluctuation", "The variance of what a unit gives, times the squared weights that read "
           "it",
           "An et al. (2024), FLAP, Eq. 5", looked_at="weights and activations, {items}"),
    Method("hrank", "The mean rank of a unit's feature maps", "Lin et al. (2020), Eq. 5",
           "networks all of whose units give feature maps", "the ranks of feature maps, {items}"),
    Method("lrp", "The relevance that comes through a unit, by the epsilon rule",
           "Bach et al. (2015), Eq. 58; Yeom et al. (2021)", "piecewise linear networks (ReLU)",
           "relevance handed back, {items}"),
    Method("beta-rank", "The weights that make a unit, times how much its output varies for its "
           "input", "Homayounfar et al. (2023)", looked_at="weights and activations, {items}"),
))  # fmt: skip
