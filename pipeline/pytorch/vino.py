"""One-step sampling by OpenVINO in float32, with the network of networks.py: its hint is latency or throughput."""

import numpy
import openvino
import torch


class Sampling:
    """As peer.py's, but for a batch that is cut into the requests that OpenVINO runs side by side."""

    def __init__(self, network, hint, threads, batch):
        self.network, self.config = network, network.config
        self.core = openvino.Core()
        self.settings = {
            "PERFORMANCE_HINT": hint.upper(), "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
        self.latents = self.labels = None
        self.resize(batch)

    def shape(self, batch):
        c = self.config
        return [batch, c["img_channels"], c["img_resolution"], c["img_resolution"]]

    def convert(self, batch):
        """The network for a batch, weights folded in."""
        class Step(torch.nn.Module):
            def __init__(self, network):
                super().__init__()
                self.network = network

            def forward(self, latents, labels=None):
                return self.network(latents * 2.5, torch.full([1], 2.5), labels)

        examples = [torch.zeros(self.shape(batch))]
        if self.config["label_dim"]:
            examples.append(torch.zeros([batch, self.config["label_dim"]]))
        with torch.inference_mode():
            model = openvino.convert_model(
                Step(self.network), example_input=tuple(examples), input=[list(example.shape) for example in examples])
        return self.core.compile_model(model, "CPU", self.settings)

    def resize(self, batch):
        # How many requests are best is known once it is compiled; each then has its share of the batch.
        self.parts = 1
        if self.settings["PERFORMANCE_HINT"] == "THROUGHPUT":
            best = self.convert(1).get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            self.parts = max(part for part in range(1, best + 1) if batch % part == 0)
        self.compiled = self.convert(batch // self.parts)
        self.queue = openvino.AsyncInferQueue(self.compiled, self.parts)
        self.queue.set_callback(self.take)
        if self.latents is None or len(self.latents) != batch:
            generator = numpy.random.default_rng(0)
            self.latents = generator.standard_normal(self.shape(batch), dtype=numpy.float32)
            classes = self.config["label_dim"]
            self.labels = numpy.eye(classes, dtype=numpy.float32)[generator.integers(classes, size=batch)] if classes else None
        self.results = [None] * self.parts

    def take(self, request, part):
        self.results[part] = request.get_output_tensor(0).data.copy()

    def run(self):
        size = len(self.latents) // self.parts
        for part in range(self.parts):
            rows = slice(part * size, (part + 1) * size)
            inputs = [self.latents[rows]] + ([] if self.labels is None else [self.labels[rows]])
            self.queue.start_async(inputs, part)
        self.queue.wait_all()

    def compare(self, file):
        latents = file["latents"][...]
        self.labels = file["class_labels"][...] if self.labels is not None else None
        self.latents = latents
        self.run()
        return float(numpy.abs(numpy.concatenate(self.results) - file["images"][...]).max())
