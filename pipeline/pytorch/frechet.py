"""The Frechet distance of pytorch-fid 0.3.0, from two means and covariances by scipy's general matrix square root."""

import numpy
import scipy
from scipy import linalg


def distance(mu1, sigma1, mu2, sigma2):
    root = linalg.sqrtm(sigma1.dot(sigma2))
    if numpy.iscomplexobj(root):
        root = root.real
    difference = mu1 - mu2
    return difference.dot(difference) + numpy.trace(sigma1) + numpy.trace(sigma2) - 2 * numpy.trace(root)


class Frechet:
    """Covariances of features that are nowhere below zero, as many as sid-bench's, until a file brings others."""

    version = f"scipy {scipy.__version__}"

    def __init__(self):
        generator = numpy.random.default_rng(0)
        self.statistics = []
        for _ in range(2):
            features = numpy.maximum(generator.standard_normal([3 * 2048, 2048]), 0) * (1 + numpy.arange(2048) % 7) * 0.1
            self.statistics += [features.mean(0), numpy.cov(features, rowvar=False)]

    def resize(self, batch):
        pass

    def run(self):
        return distance(*self.statistics)

    def compare(self, file):
        self.statistics = [file[name][...] for name in ["mu1", "sigma1", "mu2", "sigma2"]]
        return abs(self.run() / file["distance"][0] - 1)
