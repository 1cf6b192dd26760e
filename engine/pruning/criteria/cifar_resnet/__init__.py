"""The KL criteria for CIFAR ResNets, by their modules: faster than what fits any network."""
