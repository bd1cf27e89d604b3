"""One iteration of Score identity Distillation (arXiv 2404.04057) for PyTorch: losses, optimizers and average."""

import copy
import math

import torch

SIGMA_INIT, ALPHA, TMAX, GENERATOR_SCALE, LEARNING_RATE = 2.5, 1.2, 800.0, 100.0, 1e-5
HALF_LIFE_IMAGES, RAMPUP = 500_000, 0.05


def generated(generator, z, labels, augment):
    return generator(z * SIGMA_INIT, torch.full([1], SIGMA_INIT), labels, augment)


def counted(*tensors):
    """Which images are free of NaN."""
    bad = torch.zeros(len(tensors[0]), dtype=torch.bool)
    for tensor in tensors:
        bad |= tensor.detach().isnan().flatten(1).any(1)
    return ~bad


def fake_score_loss(fake, images, labels, normals, noise):
    """EDM's loss of the fake score on generated images, divided by their number."""
    sigma = (normals * 1.2 - 1.2).exp()
    data = fake.sigma_data
    weight = (sigma**2 + data**2) / (sigma * data) ** 2
    output = fake(images + noise * sigma[:, None, None, None], sigma, labels)
    keep, batch = counted(output, images), len(images)
    if not keep.all():
        output, images, weight = output[keep], images[keep], weight[keep]
    return (weight[:, None, None, None] * (output - images) ** 2).sum() / batch


def generator_loss(teacher, fake, images, labels, augment, uniform, noise):
    """SiD's loss of the generator; gradients flow through the images and through both scores to them."""
    high, low = 80.0 ** (1 / 7), 0.002 ** (1 / 7)
    sigma = (high + (1 - uniform * (TMAX / 1000)) * (low - high)) ** 7
    noisy = images + noise * sigma[:, None, None, None]
    real = teacher(noisy, sigma, labels, augment)
    wrong = fake(noisy, sigma, labels, augment)
    batch = len(images)
    weight = (images - real).detach().abs().mean(dim=[1, 2, 3], keepdim=True).clamp(min=1e-5)
    keep = counted(images, real, wrong)
    if not keep.all():
        images, real, wrong, weight = images[keep], real[keep], wrong[keep], weight[keep]
    difference = real - wrong
    return (difference * ((real - images) - ALPHA * difference) / weight).sum() * (GENERATOR_SCALE / batch)


def train(network, wanted):
    for parameter in network.parameters():
        parameter.requires_grad_(wanted)


def step(optimizer):
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None:
                torch.nan_to_num_(parameter.grad, nan=0.0, posinf=1e5, neginf=-1e5)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def largest_error(group, loss, network):
    """The largest relative error of a loss and of gradients against what `sid-bench` wrote; no gradient is kept.

    A gradient's norm is held against the norm of all gradients together.
    """
    names = [n.decode() if isinstance(n, bytes) else n for n in group.attrs["parameters"]]
    expected = dict(zip(names, group["gradient_norms"][...].tolist()))
    total = math.hypot(*expected.values())
    errors = [abs(loss / group.attrs["objective"] - 1)]
    for name, parameter in network.named_parameters():
        norm = 0.0 if parameter.grad is None else parameter.grad.double().norm().item()
        parameter.grad = None
        errors.append(abs(norm - expected.pop(name)) / total)
    if expected:
        raise KeyError(f"no parameter is named {', '.join(expected)}")
    return max(errors)


class Distillation:
    """Teacher, fake score, generator and its average; all four start equal."""

    def __init__(self, teacher, memory_format, compiled=lambda network: network):
        train(teacher, False)
        self.format = memory_format
        self.networks = [copy.deepcopy(teacher) for _ in range(3)]
        self.config = teacher.config
        fake, generator, average = self.networks
        self.originals = list(teacher.parameters())
        self.parameters = list(generator.parameters())
        self.averages = list(average.parameters())
        self.teacher, self.fake, self.generator = compiled(teacher), compiled(fake), compiled(generator)

        def adam(network):
            return torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, betas=(0.0, 0.999), eps=1e-8, fused=True)

        self.fake_adam, self.generator_adam = adam(fake), adam(generator)
        self.images_seen = 0

    def labels(self, batch):
        classes = self.config["label_dim"]
        return torch.nn.functional.one_hot(torch.randint(classes, [batch]), classes).float() if classes else None

    def augment(self, batch):
        return torch.zeros([batch, self.config["augment_dim"]]) if self.config["augment_dim"] else None

    def normals(self, batch):
        c = self.config
        shape = [batch, c["img_channels"], c["img_resolution"], c["img_resolution"]]
        return torch.randn(shape).to(memory_format=self.format)

    def fake_score_gradients(self, z, labels, normals, noise):
        fake, generator, _ = self.networks
        train(fake, True)
        with torch.no_grad():
            images = generated(self.generator.eval(), z, labels, self.augment(len(z)))
        loss = fake_score_loss(self.fake.train(), images, labels, normals, noise)
        loss.backward()
        return loss.item()

    def generator_gradients(self, z, labels, uniform, noise):
        fake, generator, _ = self.networks
        train(fake, False)
        train(generator, True)
        augment = self.augment(len(z))
        images = generated(self.generator.train(), z, labels, augment)
        loss = generator_loss(self.teacher, self.fake.eval(), images, labels, augment, uniform, noise)
        loss.backward()
        return loss.item()

    def iteration(self, batch):
        self.fake_score_gradients(self.normals(batch), self.labels(batch), torch.randn(batch), self.normals(batch))
        step(self.fake_adam)
        self.generator_gradients(self.normals(batch), self.labels(batch), torch.rand(batch), self.normals(batch))
        step(self.generator_adam)
        half_life = min(HALF_LIFE_IMAGES, self.images_seen * RAMPUP)
        beta = 0.5 ** (batch / max(half_life, 1e-8))
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, self.parameters, 1 - beta)
        self.images_seen += batch

    def restart(self, factors):
        """Makes every network a multiple of the teacher again."""
        with torch.no_grad():
            for network, factor in zip(self.networks, factors):
                for parameter, original in zip(network.parameters(), self.originals):
                    torch.mul(original, factor, out=parameter)

    def compare(self, file):
        """Both steps on the draws in a file of `sid-bench`: the largest relative error. Dropout is off."""
        blocks = [m for network in self.networks for m in network.modules() if hasattr(m, "dropout")]
        rates = [block.dropout for block in blocks]
        for block in blocks:
            block.dropout = 0.0
        worst = 0.0
        fake, generator, _ = self.networks
        for name, trained, gradients, factor in [
            ("fake_score", fake, self.fake_score_gradients, 1.0), ("generator", generator, self.generator_gradients, 0.9)]:
            group = file[name]
            self.restart([factor, 1.0, 1.0])
            draws = {key: torch.from_numpy(group[key][...]) for key in group}
            z, noise = [draws[key].to(memory_format=self.format) for key in ["latents", "noise"]]
            loss = gradients(z, draws.get("class_labels"), draws["levels"], noise)
            worst = max(worst, largest_error(group, loss, trained))
        self.restart([1.0, 1.0, 1.0])
        for block, rate in zip(blocks, rates):
            block.dropout = rate
        return worst
