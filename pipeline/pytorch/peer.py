"""PyTorch's side of the comparison: does the work that sid-bench does, and answers lines like `sid-bench --serve`.

  run            the seconds of one repetition
  batch N        changes the batch
  outputs FILE   the largest difference from the results in a file that sid-bench wrote for the same network
  peak           the peak memory so far
  quit           the peak memory, and ends
"""

import argparse
import json
import os
import sys
import time

import torch

HINTS = ["latency", "throughput"]
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def peak_bytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


class Sampling:
    def __init__(self, network, format, batch, compiled):
        self.format, self.config = format, network.config
        self.network = compiled(network)
        self.sigma = torch.full([1], 2.5)
        self.resize(batch)

    def resize(self, batch):
        c = self.config
        generator = torch.Generator().manual_seed(0)
        shape = [batch, c["img_channels"], c["img_resolution"], c["img_resolution"]]
        self.latents = torch.randn(shape, generator=generator).to(memory_format=self.format)
        self.labels = None
        if c["label_dim"]:
            classes = torch.randint(c["label_dim"], [batch], generator=generator)
            self.labels = torch.nn.functional.one_hot(classes, c["label_dim"]).float()

    def images(self):
        with torch.inference_mode():
            return self.network(self.latents * 2.5, self.sigma, self.labels)

    run = images

    def compare(self, file):
        self.latents = torch.from_numpy(file["latents"][...]).to(memory_format=self.format)
        if self.labels is not None:
            self.labels = torch.from_numpy(file["class_labels"][...])
        return (self.images() - torch.from_numpy(file["images"][...])).abs().max().item()


class Features:
    """pytorch-fid's network, as its program uses it: bytes to features of the last pool."""

    def __init__(self, network, format, batch, compiled):
        self.format = format
        self.network = compiled(network)
        self.resize(batch)

    def resize(self, batch):
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randint(0, 256, [batch, 32, 32, 3], generator=generator, dtype=torch.uint8)

    def run(self):
        with torch.inference_mode():
            images = self.images.permute(0, 3, 1, 2).to(torch.float32, memory_format=self.format) / 255
            return self.network(images)[0].flatten(1)

    def compare(self, file):
        self.images = torch.from_numpy(file["images"][...])
        return (self.run() - torch.from_numpy(file["features"][...])).abs().max().item()


class Training:
    """Iterations of a training on one micro-batch."""

    def __init__(self, network, format, batch, compiled):
        self.batch = batch
        self.training = self.make(network, format, compiled)

    def resize(self, batch):
        self.batch = batch

    def run(self):
        self.training.iteration(self.batch)

    def compare(self, file):
        return self.training.compare(file)


class Distilling(Training):
    def make(self, *arguments):
        from sid import Distillation

        return Distillation(*arguments)


class Teaching(Training):
    def make(self, *arguments):
        from teacher import TeacherTraining

        return TeacherTraining(*arguments)


def compiler(work):
    """torch.compile as it is fastest for the work."""
    import torch._inductor.config

    torch._dynamo.config.cache_size_limit = 64
    torch._inductor.config.freezing = not issubclass(work, Training)
    return lambda network: torch.compile(network, dynamic=False)


def prepared(options):
    """The work, done once."""
    if options.work == "frechet":
        from frechet import Frechet

        work = Frechet()
        work.run()
        return work
    if options.work == "features":
        from fid import read_inception

        config, tensors, denoiser = {}, options.network_file, lambda _, path: read_inception(path)
    else:
        from networks import denoiser, read_network

        config, tensors = read_network(options.network_file)
    if options.save:
        torch.save({"config": config, "parameters": tensors}, options.save)
        sys.exit()
    network = denoiser(config, tensors)
    del tensors  # so that the parameters are in memory once
    if options.mode == "openvino":
        import vino

        work = vino.Sampling(network, options.format, options.threads, options.batch)
    else:
        network.to(memory_format=FORMATS[options.format])
        kind = {"distill-step": Distilling, "train-step": Teaching, "features": Features}.get(options.work, Sampling)
        compiled = compiler(kind) if options.mode == "compile" else lambda network: network
        work = kind(network, FORMATS[options.format], options.batch, compiled)
    work.run()
    return work


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--network-file", help="all works but frechet need one")
    parser.add_argument("--work", required=True, choices=["sample", "latency", "distill-step", "train-step", "features", "frechet"])
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--format", choices=[*FORMATS, *HINTS], default="channels_last", help="or OpenVINO's hint")
    parser.add_argument("--mode", choices=["eager", "compile", "openvino"], default="eager")
    parser.add_argument("--save", help="write configuration and parameters for torch.load, and end")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    # Answers go where nothing else that is printed goes.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    start = time.perf_counter()
    work = prepared(options)
    first = time.perf_counter() - start

    def say(**answer):
        print(json.dumps(answer), file=answers, flush=True)

    say(
        ready=True, torch=getattr(work, "version", torch.__version__), threads=torch.get_num_threads(),
        first_seconds=first)
    for line in sys.stdin:
        words = line.split(maxsplit=1)
        if words in ([], ["run"]):
            start = time.perf_counter()
            work.run()
            say(seconds=time.perf_counter() - start)
        elif words[0] == "batch":
            work.resize(int(words[1]))
            work.run()
            say(batch=int(words[1]))
        elif words[0] == "outputs":
            import h5py

            with h5py.File(words[1].strip(), "r") as file:
                say(difference=work.compare(file))
        elif words == ["peak"]:
            say(peak_bytes=peak_bytes())
        elif words == ["quit"]:
            return say(peak_bytes=peak_bytes())
        else:
            say(error=f"not known: {line.strip()}")


if __name__ == "__main__":
    main()
