"""One iteration of a teacher's training (arXiv 2206.00364) for PyTorch: EDM's loss, Adam and the average."""

import copy

import torch

from sid import fake_score_loss, largest_error, step

LEARNING_RATE, RAMPUP_IMAGES, HALF_LIFE_IMAGES, AVERAGE_RAMPUP = 1e-3, 10e6, 500_000, 0.05


class TeacherTraining:
    """The network and its average. Images are noise that stays the same for a batch; they are not augmented."""

    def __init__(self, network, memory_format, compiled=lambda network: network):
        self.format, self.config = memory_format, network.config
        self.network = network.requires_grad_(True).train()
        self.average = copy.deepcopy(network).requires_grad_(False)
        self.averages, self.parameters = list(self.average.parameters()), list(network.parameters())
        self.compiled = compiled(network)
        self.adam = torch.optim.Adam(self.parameters, lr=LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8, fused=True)
        self.images_seen = self.iterations = 0
        self.images = self.labels = None

    def normals(self, batch):
        c = self.config
        shape = [batch, c["img_channels"], c["img_resolution"], c["img_resolution"]]
        return torch.randn(shape).to(memory_format=self.format)

    def data(self, batch):
        """The images and classes of a batch."""
        if self.images is None or len(self.images) != batch:
            classes = self.config["label_dim"]
            self.images, self.labels = self.normals(batch) / 2, None
            if classes:
                self.labels = torch.nn.functional.one_hot(torch.randint(classes, [batch]), classes).float()
        return self.images, self.labels

    def gradients(self, images, labels, normals, noise):
        loss = fake_score_loss(self.compiled, images, labels, normals, noise)
        loss.backward()
        return loss.item()

    def iteration(self, batch):
        images, labels = self.data(batch)
        self.gradients(images, labels, torch.randn(batch), self.normals(batch))
        for group in self.adam.param_groups:
            group["lr"] = LEARNING_RATE * min(self.images_seen / RAMPUP_IMAGES, 1)
        step(self.adam)
        half_life = min(HALF_LIFE_IMAGES, self.images_seen * AVERAGE_RAMPUP)
        beta = 0.5 ** (batch / max(half_life, 1e-8))
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.parameters, 1 - beta)
        self.images_seen += batch
        self.iterations += 1

    def compare(self, file):
        """Loss and gradients on the draws in a file of `sid-bench`: the largest relative error. Dropout is off.

        The learning rate of the first iteration is 0, so behind it the weights are still those of the network file.
        """
        if self.iterations > 1:
            raise RuntimeError("the weights have changed: results are compared before a second iteration")
        blocks = [module for module in self.network.modules() if hasattr(module, "dropout")]
        rates = [block.dropout for block in blocks]
        for block in blocks:
            block.dropout = 0.0
        images, noise = [torch.from_numpy(file[key][...]).to(memory_format=self.format) for key in ["images", "noise"]]
        labels = torch.from_numpy(file["class_labels"][...]) if "class_labels" in file else None
        loss = self.gradients(images, labels, torch.from_numpy(file["levels"][...]), noise)
        for block, rate in zip(blocks, rates):
            block.dropout = rate
        return largest_error(file, loss, self.network)
