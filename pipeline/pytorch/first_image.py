"""From the start of the process to the PNG of one image, as quickly as PyTorch allows."""

import argparse
import struct
import zlib


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(pixels):
    """An image of [H, W, C] bytes, C 1 or 3."""
    height, width, channels = pixels.shape
    rows = pixels.flatten(1).contiguous().numpy()
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", required=True, help="a file of peer.py --save")
    parser.add_argument("--output", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--format", choices=["contiguous", "channels_last"], default="contiguous")
    options = parser.parse_args()

    import torch

    from networks import denoiser

    torch.set_num_threads(options.threads)
    format = torch.channels_last if options.format == "channels_last" else torch.contiguous_format
    stored = torch.load(options.network, mmap=True, weights_only=True)
    network = denoiser(stored["config"], stored.pop("parameters")).to(memory_format=format)
    c = network.config
    # As the official script draws them: one generator for each seed, the latents first, then the class.
    generator = torch.Generator().manual_seed(0)
    shape = [1, c["img_channels"], c["img_resolution"], c["img_resolution"]]
    latents, labels = torch.randn(shape, generator=generator), None
    if c["label_dim"]:
        labels = torch.eye(c["label_dim"])[torch.randint(c["label_dim"], [1], generator=generator)]
    with torch.inference_mode():
        image = network((latents * 2.5).to(memory_format=format), torch.full([1], 2.5), labels)[0]
    pixels = (image.double() * 127.5 + 128).clip(0, 255).to(torch.uint8).permute(1, 2, 0)
    with open(options.output, "wb") as file:
        file.write(png(pixels))


if __name__ == "__main__":
    main()
