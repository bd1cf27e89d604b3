"""The denoising networks of EDM (arXiv 2206.00364) for PyTorch, written to run as fast as PyTorch can run them.

DDPM++ (SongUNet with standard encoder and decoder, arXiv 2011.13456) and ADM (DhariwalUNet, arXiv 2105.05233), each inside
EDM's preconditioner. Parameters have the state_dict names of the network files of this repository. What differs from a
plain rendering is there for speed alone: the box filter [1, 1] is nearest-neighbour and mean pooling, sums are in place
where no gradient is wanted, and the outputs of `qkv` are reordered once, when parameters are loaded, so that attention
reads queries, keys and values where they lie.
"""

import json
import math

import torch
from torch import nn
from torch.nn import functional as F

DEFAULTS = {
    "SongUNet": dict(
        label_dim=0, augment_dim=0, model_channels=128, channel_mult=[1, 2, 2, 2], channel_mult_emb=4,
        channel_mult_noise=1, num_blocks=4, attn_resolutions=[16], dropout=0.1, sigma_data=0.5),
    "DhariwalUNet": dict(
        label_dim=0, augment_dim=0, model_channels=192, channel_mult=[1, 2, 3, 4], channel_mult_emb=4,
        num_blocks=3, attn_resolutions=[32, 16, 8], dropout=0.1, sigma_data=0.5),
}


def add_(x, y):
    """x + y, in the memory of x where nobody needs x for a gradient."""
    return x + y if torch.is_grad_enabled() else x.add_(y)


def silu(x):
    return F.silu(x) if torch.is_grad_enabled() else F.silu(x, inplace=True)


class Resampling(nn.Module):
    """Twice or half the resolution by the filter [1, 1], which is a buffer of the state_dict."""

    def __init__(self, direction):
        super().__init__()
        self.direction = direction
        self.register_buffer("resample_filter", torch.full([1, 1, 2, 2], 0.25))

    def resampled(self, x):
        if self.direction == "up":
            return F.interpolate(x, scale_factor=2.0, mode="nearest")
        return F.avg_pool2d(x, 2)

    forward = resampled


class Convolution(nn.Conv2d):
    """A convolution with stride 1 and zero padding."""

    def __init__(self, inputs, outputs, kernel):
        super().__init__(inputs, outputs, kernel, padding=kernel // 2)


class ResamplingConvolution(Convolution):
    """Half or twice the resolution, then a convolution."""

    def __init__(self, inputs, outputs, kernel, direction):
        super().__init__(inputs, outputs, kernel)
        self.direction = direction
        self.register_buffer("resample_filter", torch.full([1, 1, 2, 2], 0.25))

    def forward(self, x):
        return super().forward(Resampling.resampled(self, x))


def convolution(inputs, outputs, kernel, direction=None):
    if direction is None:
        return Convolution(inputs, outputs, kernel)
    return ResamplingConvolution(inputs, outputs, kernel, direction)


def normalization(channels, epsilon):
    return nn.GroupNorm(min(32, channels // 4), channels, eps=epsilon)


class Block(nn.Module):
    """A residual block, with self-attention after it where `heads` is not 0."""

    def __init__(self, inputs, outputs, embedding, dropout, heads, direction, adaptive_scale, scale, epsilon):
        super().__init__()
        self.adaptive_scale, self.scale, self.dropout, self.heads = adaptive_scale, scale, dropout, heads
        self.norm0 = normalization(inputs, epsilon)
        self.conv0 = convolution(inputs, outputs, 3, direction)
        self.affine = nn.Linear(embedding, outputs * (2 if adaptive_scale else 1))
        self.norm1 = normalization(outputs, epsilon)
        self.conv1 = convolution(outputs, outputs, 3)
        self.skip = None
        if inputs != outputs or (direction and not adaptive_scale):
            self.skip = convolution(inputs, outputs, 1, direction)
        elif direction:
            self.skip = Resampling(direction)
        if heads:
            self.norm2 = normalization(outputs, epsilon)
            self.qkv = convolution(outputs, 3 * outputs, 1)
            self.proj = convolution(outputs, outputs, 1)

    def joined(self, branch, trunk):
        y = add_(branch, trunk)
        if self.scale == 1:
            return y
        return y * self.scale if torch.is_grad_enabled() else y.mul_(self.scale)

    def forward(self, x, embedding):
        h = self.conv0(silu(self.norm0(x)))
        parameters = self.affine(embedding)[:, :, None, None]
        if self.adaptive_scale:
            factor, shift = parameters.chunk(2, dim=1)
            h = silu(torch.addcmul(shift, self.norm1(h), factor + 1))
        else:
            h = silu(self.norm1(add_(h, parameters)))
        if self.training and self.dropout > 0:
            h = F.dropout(h, self.dropout)
        x = self.joined(self.conv1(h), x if self.skip is None else self.skip(x))
        return self.joined(self.proj(self.attention(self.qkv(self.norm2(x)))), x) if self.heads else x

    def attention(self, qkv):
        images, _, height, width = qkv.shape
        # Pixels by channels: the order in memory already, if that is channels_last.
        rows = qkv.flatten(2).transpose(1, 2).contiguous()
        q, k, v = rows.view(images, height * width, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v)
        return y.transpose(1, 2).reshape(images, height * width, -1).transpose(1, 2).unflatten(2, (height, width))


class UNet(nn.Module):
    """The plan that both architectures share: encoder, decoder, and the stack of skip connections between them."""

    def __init__(self, c, song):
        super().__init__()
        self.config, self.song = c, song
        base, multiples = c["model_channels"], c["channel_mult"]
        width = base * c["channel_mult_emb"]
        self.noise_channels = base * c["channel_mult_noise"] if song else base
        noise, epsilon, colours = self.noise_channels, 1e-6 if song else 1e-5, c["img_channels"]
        # ADM adds the classes after both layers, Song before them.
        self.map_label = (
            nn.Linear(c["label_dim"], noise if song else width, bias=song) if c["label_dim"] else None)
        self.map_augment = nn.Linear(c["augment_dim"], noise, bias=False) if c["augment_dim"] else None
        self.map_layer0 = nn.Linear(noise, width)
        self.map_layer1 = nn.Linear(width, width)

        def block(inputs, outputs, attention=False, direction=None):
            heads = 0 if not attention else 1 if song else outputs // 64
            return Block(
                inputs, outputs, width, c["dropout"], heads, direction, adaptive_scale=not song,
                scale=math.sqrt(0.5) if song else 1, epsilon=epsilon)

        self.enc, self.dec = nn.ModuleDict(), nn.ModuleDict()
        channels, stack = None, []
        for level, multiple in enumerate(multiples):
            side = c["img_resolution"] >> level
            size, attention = f"{side}x{side}", side in c["attn_resolutions"]
            if level == 0:
                channels = base if song else base * multiple
                self.enc[f"{size}_conv"] = convolution(colours, channels, 3)
            else:
                self.enc[f"{size}_down"] = block(channels, channels, direction="down")
            stack.append(channels)
            for index in range(c["num_blocks"]):
                self.enc[f"{size}_block{index}"] = block(channels, base * multiple, attention)
                channels = base * multiple
                stack.append(channels)

        self.pops = set()
        for level, multiple in reversed(list(enumerate(multiples))):
            side = c["img_resolution"] >> level
            size, attention = f"{side}x{side}", side in c["attn_resolutions"]
            if level == len(multiples) - 1:
                self.dec[f"{size}_in0"] = block(channels, channels, attention=True)
                self.dec[f"{size}_in1"] = block(channels, channels)
            else:
                self.dec[f"{size}_up"] = block(channels, channels, direction="up")
            for index in range(c["num_blocks"] + 1):
                name = f"{size}_block{index}"
                attends = attention and (index == c["num_blocks"] or not song)
                self.dec[name] = block(channels + stack.pop(), base * multiple, attends)
                self.pops.add(name)
                channels = base * multiple
        if song:
            self.dec[f"{size}_aux_norm"] = normalization(channels, epsilon)
            self.dec[f"{size}_aux_conv"] = convolution(channels, colours, 3)
            self.last = (f"{size}_aux_norm", f"{size}_aux_conv")
        else:
            self.out_norm = normalization(channels, epsilon)
            self.out_conv = convolution(channels, colours, 3)

    def embedding(self, noise, labels, augment):
        half = self.noise_channels // 2
        exponents = torch.arange(half, dtype=torch.float32, device=noise.device) / (half - 1 if self.song else half)
        angles = noise[:, None] * (1 / 10000) ** exponents
        parts = [angles.sin(), angles.cos()] if self.song else [angles.cos(), angles.sin()]
        e = torch.cat(parts, dim=1)
        if self.map_augment is not None and augment is not None:
            e = e + self.map_augment(augment)
        if self.map_label is not None and labels is None:
            labels = torch.zeros([len(noise), self.config["label_dim"]])
        if self.song:
            if self.map_label is not None:
                e = e + self.map_label(labels * math.sqrt(self.config["label_dim"]))
            return F.silu(self.map_layer1(F.silu(self.map_layer0(e))))
        e = self.map_layer1(F.silu(self.map_layer0(e)))
        return F.silu(e + self.map_label(labels) if self.map_label is not None else e)

    def forward(self, x, noise, labels, augment):
        e = self.embedding(noise, labels, augment)
        stack = []
        for layer in self.enc.values():
            x = layer(x, e) if isinstance(layer, Block) else layer(x)
            stack.append(x)
        for name, layer in self.dec.items():
            if isinstance(layer, Block):
                x = layer(torch.cat([x, stack.pop()], dim=1) if name in self.pops else x, e)
        norm, output = [self.dec[name] for name in self.last] if self.song else (self.out_norm, self.out_conv)
        return output(silu(norm(x)))


class Denoiser(nn.Module):
    """D(x; sigma, labels) = c_skip x + c_out F(c_in x, ln(sigma) / 4, labels), EDM's preconditioning."""

    def __init__(self, config):
        super().__init__()
        self.config = {**DEFAULTS[config["model_type"]], **config}
        self.sigma_data = self.config["sigma_data"]
        self.model = UNet(self.config, song=config["model_type"] == "SongUNet")

    def forward(self, x, sigma, labels=None, augment=None):
        sigma = sigma.expand(len(x))
        s = sigma[:, None, None, None]
        total = s.square() + self.sigma_data**2
        output = self.model(x * total.rsqrt(), sigma.log() / 4, labels, augment)
        return torch.addcmul(x * (self.sigma_data**2 / total), output, s * self.sigma_data * total.rsqrt())

    def heads(self, name):
        """The heads of the block that owns the parameter `name`."""
        return self.get_submodule(name.rsplit(".", 2)[0]).heads

    def take(self, tensors):
        """Takes parameters by their names in a network file; all of them, and no others."""
        ordered = {}
        for name, tensor in tensors.items():
            if ".qkv." in name:
                # (head, channel, q|k|v) becomes (q|k|v, head, channel).
                parts = tensor.reshape(self.heads(name), -1, 3, *tensor.shape[1:])
                tensor = parts.movedim(2, 0).reshape(tensor.shape).contiguous()
            ordered[name] = tensor
        self.load_state_dict(ordered, strict=True, assign=True)


def denoiser(config, tensors):
    """A network with given parameters, without ever making random ones."""
    with torch.device("meta"):
        network = Denoiser(config)
    network.take({name: tensor.float() for name, tensor in tensors.items()})
    return network.eval()


def read_network(path):
    """Configuration and parameters of a network file."""
    import h5py

    with h5py.File(path, "r") as file:
        tensors = {name: torch.from_numpy(data[...]) for name, data in file["parameters"].items()}
        return json.loads(file.attrs["config"]), tensors
