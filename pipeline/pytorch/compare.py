"""Measures this package against PyTorch: both do the same work on the same weights in turns.

Each side is at its best: its own batch size, searched before, and for PyTorch the memory format (contiguous or
channels_last). Sampling with cifar10 is measured against torch.compile and OpenVINO as well, the distance of two
statistics against scipy. Before anything is timed the other side's results are held against ours.
Run by `pipeline/bench --against-pytorch`, which knows where the programs are.
"""

import argparse
import json
import math
import os
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
NETWORKS = ["cifar10", "ffhq64", "imagenet64", "digits", "inception-v3"]
WORKS = ["sample", "latency", "distill-step", "train-step", "first-image", "memory", "threads", "features", "frechet"]
MODES = [
    "eager-channels_last", "eager-contiguous", "compile-channels_last", "compile-contiguous", "openvino-latency",
    "openvino-throughput"]
# Works that are measured against more than eager PyTorch, each kind of mode in a row of its own.
FURTHER = {("cifar10", "sample"): ["compile", "openvino"]}
# Seconds that torch.compile may take until the first result.
COMPILE_LIMIT = 600
BATCHES = {  # images at a time that are tried, smallest first
    "digits": {"sample": [16, 64, 256, 1024], "distill-step": [16, 64, 256], "train-step": [16, 64, 256]},
    "imagenet64": {"sample": [1, 2, 4, 8, 16], "distill-step": [1, 2, 4, 8], "train-step": [1, 2, 4, 8]},
    "inception-v3": {"features": [8, 16, 32, 64]},
    None: {"sample": [1, 4, 8, 16, 32, 64], "distill-step": [4, 8, 16, 32, 64], "train-step": [4, 8, 16, 32, 64]},
}
TOLERANCE = {  # absolute on images and features, relative on gradients and distances
    "sample": 1e-4, "latency": 1e-4, "distill-step": 1e-3, "train-step": 1e-3, "features": 1e-4, "frechet": 1e-6}
MEMORY_BATCH = 16
# Options of sid-bench whose memory is measured too, where it has them, and what the work is then called.
MEMORY_VARIANTS = {"memory-checkpointed": "--checkpoint-activations"}


def note(text):
    print(text, file=sys.stderr, flush=True)


class Broken(Exception):
    """A program ended or said what it should not."""


class Load:
    """How many processors other processes keep busy meanwhile, and steal of a hypervisor.

    PyTorch's threads wait for each other after every operation, so that it loses far more than its share on a machine
    that others use. A measurement is repeated while others take more than `QUIET`, and the quietest ones count.
    """

    QUIET = 0.1

    def __init__(self, *workers):
        self.pids = [worker.process.pid for worker in workers]
        self.tick = os.sysconf("SC_CLK_TCK")
        self.children = 0.0
        self.start, self.others = time.perf_counter(), self.seconds()

    def seconds(self):
        """Processor seconds that processes other than the workers and this one have used."""
        with open("/proc/stat") as stat:
            user, nice, system, _, _, interrupts, soft, steal = map(int, stat.readline().split()[1:9])
        busy = user + nice + system + interrupts + soft + steal
        for pid in [*self.pids, "self"]:
            with open(f"/proc/{pid}/stat") as stat:
                busy -= sum(map(int, stat.read().rsplit(")", 1)[1].split()[11:13]))
        return busy / self.tick - self.children

    def share(self):
        """Processors that others kept busy since this object was made."""
        return max(0.0, (self.seconds() - self.others) / (time.perf_counter() - self.start))


def settle(workers, seconds=15):
    """Waits a while for other processes to come to rest."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        load = Load(*workers)
        time.sleep(0.5)
        if load.share() <= Load.QUIET:
            break


def quietest(measure, workers, wanted, attempts):
    """`wanted` results of `measure(load)`, the quietest of at most `attempts`, and the load of the last one taken."""
    found = []
    for _ in range(attempts):
        settle(workers)
        load = Load(*workers)
        result = measure(load)
        found.append((load.share(), len(found), result))
        if sum(share <= Load.QUIET for share, *_ in found) == wanted:
            break
    chosen = sorted(found)[:wanted]
    return [result for _, _, result in chosen], chosen[-1][0]


class Worker:
    """A program that answers lines on its standard input with lines of JSON."""

    def __init__(self, command, log, limit=None, **environment):
        self.command, self.log = command, log
        # Both sides' libraries choose their own core, and have the threads that they are given.
        inherited = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(log, "w"), text=True, bufsize=1,
            env=inherited | environment)
        clock = threading.Timer(limit, self.process.kill) if limit else None
        if clock:
            clock.start()
        try:
            self.ready = self.answer()
        except Broken:
            if clock and not clock.is_alive():
                raise Broken(f"no result within {limit} seconds") from None
            raise
        finally:
            if clock:
                clock.cancel()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            tail = open(self.log).read().strip().splitlines()[-1:]
            raise Broken(f"{os.path.basename(self.command[0])} ended: {' '.join(tail)}")
        answer = json.loads(line)
        if "error" in answer:
            raise Broken(answer["error"])
        return answer

    def say(self, line):
        try:
            print(line, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            pass

    def ask(self, line):
        self.say(line)
        return self.answer()

    def run(self, times=1):
        """Mean seconds of some repetitions."""
        return sum(self.ask("run")["seconds"] for _ in range(times)) / times

    def turn(self):
        """How many repetitions make a turn: half a second at least, so that the processors' clocks can tell who ran."""
        return max(1, math.ceil(0.5 / self.run()))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()


class Sides:
    """How to start both sides for one network."""

    def __init__(self, options, network, folder):
        self.options, self.network, self.folder = options, network, folder
        self.file = os.path.join(folder, f"{network}.h5")
        self.bench = os.path.join(options.programs, "sid-bench")
        self.best = {}  # batches of eager PyTorch, by work
        subprocess.run([self.bench, "--network", network, "--seed", "0", "--write-network", self.file], check=True)

    def path(self, name):
        return os.path.join(self.folder, f"{self.network}-{name}")

    def ours(self, work, batch, threads=None, extra=(), log="ours"):
        command = [self.bench, *self.weights(work), "--work", work, "--serve"]
        command += ["--threads", str(threads or self.options.threads), *self.options.our_options.split(), *extra]
        sized = ["--batch", str(batch)] if work not in ["latency", "frechet"] else []
        return Worker(command + sized, self.path(log + ".log"))

    def weights(self, work):
        return [] if work == "frechet" else ["--network-file", self.file]

    def peer(self, work, mode, batch, *extra):
        kind, memory_format = mode.split("-")
        return [
            sys.executable, os.path.join(HERE, "peer.py"), *self.weights(work), "--work", work,
            "--batch", str(batch), "--mode", kind, "--format", memory_format,
            "--threads", str(self.options.threads), *extra]

    def theirs(self, work, mode, batch):
        return Worker(
            self.peer(work, mode, batch), self.path("theirs.log"),
            limit=COMPILE_LIMIT if mode.startswith("compile") else None,
            OPENBLAS_NUM_THREADS=str(self.options.threads), TORCHINDUCTOR_CACHE_DIR=self.path("inductor"))

    def batches(self, work):
        if work in ["latency", "frechet"]:
            return [1]
        if self.options.batches:
            return self.options.batches
        return BATCHES.get(self.network, BATCHES[None])[work]

    def outputs(self, work, batch):
        """A file of our results for `batch` images."""
        path = self.path(f"{work}-{batch}.h5")
        if not os.path.exists(path):
            with self.ours(work, batch) as worker:
                worker.ask(f"outputs {path}")
        return path


def available_bytes():
    with open("/proc/meminfo") as info:
        return next(int(line.split()[1]) * 1024 for line in info if line.startswith("MemAvailable:"))


def quickest(worker, batches, limit):
    """Milliseconds an image at each batch that fits, until larger ones are clearly no better."""
    found = {}
    for batch in batches:
        if found:
            previous = max(found)
            if worker.ask("peak")["peak_bytes"] * batch / previous > limit:
                break
            worker.ask(f"batch {batch}")
        turn = worker.turn()
        (seconds,), _ = quietest(lambda load: worker.run(turn), [worker], 1, 3)
        found[batch] = seconds / batch * 1000
        if min(list(found.values())[-2:]) > 1.1 * min(found.values()) or seconds > 120:
            break
    return found


def described(found):
    return ", ".join(f"{ms:.4g} ({batch})" for batch, ms in found.items())


def search(sides, work, modes):
    """The best batch of ours; mode and batch of theirs; the largest difference of their results from ours."""
    limit = available_bytes() * 0.45
    batches = sides.batches(work)
    with sides.ours(work, batches[0]) as worker:
        found = quickest(worker, batches, limit)
        note(f"  ours, ms/image (batch): {described(found)}")
    ours = min(found, key=found.get)

    candidates, differences, first = {}, [], {}
    for mode in modes:
        start, compiled = batches[0], mode.startswith("compile")
        if compiled:
            # Every batch is compiled anew: only the best one without it is tried.
            start = sides.best.get(work, batches[-1])
        check = sides.outputs(work, start)
        try:
            with sides.theirs(work, mode, start) as worker:
                difference = worker.ask(f"outputs {check}")["difference"]
                if not difference <= TOLERANCE[work]:
                    raise SystemExit(f"{sides.network} {work}: {mode} differs from ours by {difference}")
                differences.append(difference)
                worker.ask(f"batch {start}")
                first[mode] = worker.ready["first_seconds"]
                found = quickest(worker, [start] if compiled else batches, limit)
        except Broken as failure:
            note(f"  {mode}: failed: {failure}")
            continue
        note(f"  {mode}, ms/image (batch): {described(found)}; difference {differences[-1]:.2g}")
        candidates.update({(mode, batch): ms for batch, ms in found.items()})
    if not candidates:
        raise Broken(f"{', '.join(modes)}: nothing runs; see {sides.path('theirs.log')}")
    mode, batch = min(candidates, key=candidates.get)
    if mode.startswith("eager"):
        sides.best[work] = batch
    return ours, mode, batch, max(differences), first[mode]


def in_turns(repetitions, workers, pair):
    """Ratios and milliseconds an image of both sides over pairs of measurements.

    `pair(load)` gives the seconds an image of our side and of the other, measured one after the other.
    """
    pairs, load = quietest(pair, workers, repetitions, 3 * repetitions)
    ours, theirs = [statistics.median(side) for side in zip(*pairs)]
    each = [b / a for a, b in pairs]
    if load > Load.QUIET:
        note(f"  other processes kept {load:.1f} processors busy: not a figure to keep")
    return {
        "ratio_median": theirs / ours, "ratio_min": min(each), "ratio_max": max(each), "repetitions": len(each),
        "our_ms_per_image": ours * 1000, "their_ms_per_image": theirs * 1000, "busy_processors": load}


def compared(sides, work, modes):
    """Throughput or latency, in turns."""
    our_batch, mode, their_batch, difference, first = search(sides, work, modes)
    with sides.ours(work, our_batch) as a, sides.theirs(work, mode, their_batch) as b:
        a.run(), b.run()
        turns = a.turn(), b.turn()
        result = in_turns(
            sides.options.repetitions, [a, b],
            lambda load: (a.run(turns[0]) / our_batch, b.run(turns[1]) / their_batch))
        peaks = [side.ask("quit")["peak_bytes"] for side in (a, b)]
    return result | {
        "our_peak_bytes": peaks[0], "their_peak_bytes": peaks[1], "our_batch": our_batch, "their_batch": their_batch,
        "their_mode": mode, "their_first_seconds": first, "largest_difference": difference, "kernels": a.ready["kernels"], "torch": b.ready["torch"]}


def peak_memory(sides, extra=()):
    """One iteration of training at a given micro-batch, once on each side, one after the other."""
    batch = sides.options.batches[0] if sides.options.batches else MEMORY_BATCH
    mode = next(mode for mode in sides.options.modes if mode.startswith("eager"))
    with sides.ours("distill-step", batch, extra=extra) as worker:
        ours, our_peak = worker.run() / batch, worker.ask("quit")["peak_bytes"]
    with sides.theirs("distill-step", mode, batch) as worker:
        theirs, their_peak = worker.run() / batch, worker.ask("quit")["peak_bytes"]
    ratio = theirs / ours
    return {
        "ratio_median": ratio, "ratio_min": ratio, "ratio_max": ratio, "repetitions": 1,
        "our_ms_per_image": ours * 1000, "their_ms_per_image": theirs * 1000, "our_peak_bytes": our_peak,
        "their_peak_bytes": their_peak, "our_batch": batch, "their_batch": batch, "their_mode": mode}


def whole_process(command, log, load, peaks):
    """Wall seconds of a process from its start to its end."""
    with open(log, "w") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=errors, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
    if status != 0:
        raise SystemExit(f"{command[0]} failed; see {log}")
    load.children += usage.ru_utime + usage.ru_stime
    peaks.append(usage.ru_maxrss * 1024)
    return seconds


def plain_png(path):
    """The pixels of a PNG of first_image.py, which filters no row."""
    data = open(path, "rb").read()
    width, height, _, colour = struct.unpack(">IIBB", data[16:26])
    start = data.index(b"IDAT")
    length = struct.unpack(">I", data[start - 4:start])[0]
    raw = zlib.decompress(data[start + 4:start + 4 + length])
    stride = width * (3 if colour == 2 else 1) + 1
    return b"".join(raw[row * stride + 1:(row + 1) * stride] for row in range(height))


def first_image(sides):
    """Whole processes, from their start to the first PNG."""
    import h5py

    network, archive, picture = sides.path("network.pt"), sides.path("first.h5"), sides.path("theirs.png")
    subprocess.run(sides.peer("sample", MODES[0], 1, "--save", network), check=True)
    threads = ["--threads", str(sides.options.threads)]
    ours = [
        os.path.join(sides.options.programs, "sid-sample"), "--network", sides.file, "--seeds", "0", "--output", archive,
        "--overwrite", "--contact-sheet-columns", "1", "--contact-sheet-rows", "1", *threads]
    theirs = [sys.executable, os.path.join(HERE, "first_image.py"), "--network", network, "--output", picture, *threads]
    peaks = [], []

    def timed_ours(load):
        return whole_process(ours, sides.path("ours.log"), load, peaks[0])

    def timed_theirs(load, memory_format):
        return whole_process(theirs + ["--format", memory_format], sides.path("theirs.log"), load, peaks[1])

    formats = {mode.split("-")[1]: 0.0 for mode in sides.options.modes if mode.startswith("eager")}
    timed_ours(Load())
    for name in formats:
        timed_theirs(Load(), name)
        (formats[name],), _ = quietest(lambda load: timed_theirs(load, name), [], 1, 3)
    best = min(formats, key=formats.get)
    peaks[1].clear()
    with h5py.File(archive, "r") as file:
        pixels = file["images"][0].tobytes()
    difference = max(abs(a - b) for a, b in zip(pixels, plain_png(picture), strict=True))
    if difference > 1 or not os.path.exists(sides.path("first.png")):
        raise SystemExit(f"{sides.network}: the first images differ by {difference}")
    result = in_turns(sides.options.repetitions, [], lambda load: (timed_ours(load), timed_theirs(load, best)))
    return result | {
        "our_peak_bytes": max(peaks[0]), "their_peak_bytes": max(peaks[1]), "our_batch": 1, "their_batch": 1,
        "their_mode": f"eager-{best}"}


def threads(sides):
    """Ours only: one process of two threads against two processes of one thread at the same time."""
    count = sides.options.threads
    with sides.ours("sample", sides.batches("sample")[0]) as worker:
        found = quickest(worker, sides.batches("sample"), available_bytes() * 0.3)
    batch = min(found, key=found.get)
    alone = [sides.ours("sample", batch, threads=1, log=f"ours-{index}") for index in range(count)]

    def pair(load):
        seconds = [[] for _ in alone]
        together = whole.run(turn) / batch
        for _ in range(turn):
            for worker in alone:
                worker.say("run")
            for worker, each in zip(alone, seconds):
                each.append(worker.answer()["seconds"])
        return together, 1 / sum(batch / statistics.mean(each) for each in seconds)

    try:
        with sides.ours("sample", batch) as whole:
            whole.run()
            turn = whole.turn()
            result = in_turns(sides.options.repetitions, [whole, *alone], pair)
            peak = whole.ask("quit")["peak_bytes"]
            peaks = [worker.ask("quit")["peak_bytes"] for worker in alone]
    finally:
        for worker in alone:
            worker.__exit__()
    return result | {
        "our_peak_bytes": peak, "their_peak_bytes": sum(peaks), "our_batch": batch, "their_batch": batch,
        "their_mode": f"{count} of ours with one thread"}


def results(sides, work):
    """Name and result of each measurement that a work consists of."""
    if work == "memory":
        yield work, peak_memory(sides)
        known = subprocess.run([sides.bench, "--help"], capture_output=True, text=True).stdout
        for name, option in MEMORY_VARIANTS.items():
            if option in known:
                yield name, peak_memory(sides, [option])
    elif work in ["first-image", "threads"]:
        yield work, {"first-image": first_image, "threads": threads}[work](sides)
    else:
        for kind in ["eager", *FURTHER.get((sides.network, work), [])]:
            modes = [mode for mode in sides.options.modes if mode.startswith(kind)]
            modes = modes[:1] if work == "frechet" else modes
            if not modes:
                continue
            try:
                yield work if kind == "eager" else f"{work}, {kind}", compared(sides, work, modes)
            except Broken as failure:
                # A further peer that does not run here ends nothing.
                if kind == "eager":
                    raise
                note(f"  {failure}")


def measured(sides, work):
    """`results`, where a side that fails ends the program with what it said."""
    try:
        yield from results(sides, work)
    except Broken as failure:
        raise SystemExit(f"{sides.network} {work}: {failure}") from None


def theirs(r):
    """How the other side was run; of what is compiled first, how long that took."""
    if r["their_mode"].startswith("eager") or "their_first_seconds" not in r:
        return r["their_mode"]
    return f"{r['their_mode']}, first result after {r['their_first_seconds']:.0f} s"


def row(r):
    return (
        f"{r['network']:13}{r['work']:20}{r['ratio_median']:6.2f}x  {r['ratio_min']:5.2f} to {r['ratio_max']:5.2f}"
        f"{r['our_ms_per_image']:11.4g}{r['their_ms_per_image']:11.4g}"
        f"{r['our_peak_bytes'] / 2**20:9.0f}{r['their_peak_bytes'] / 2**20:9.0f}"
        f"  {r['our_batch']}, {r['their_batch']} {theirs(r)}")


HEADING = (
    f"{'network':13}{'work':20}{'ratio':>7}  {'pairs':14}{'our ms':>11}{'their ms':>11}{'our MiB':>9}{'their':>9}  batches, mode")


def markdown(everything):
    """The results as the table of docs/benchmarks.md."""
    titles = ["network", "work", "ratio", "pairs", "ours, ms/image", "theirs, ms/image", "ours, MiB", "theirs, MiB", "batches", "theirs"]
    lines = [titles, ["---"] * len(titles)]
    for r in everything:
        lines.append([
            r["network"], r["work"], f"{r['ratio_median']:.2f}", f"{r['ratio_min']:.2f} to {r['ratio_max']:.2f}",
            f"{r['our_ms_per_image']:.4g}", f"{r['their_ms_per_image']:.4g}", f"{r['our_peak_bytes'] / 2**20:.0f}",
            f"{r['their_peak_bytes'] / 2**20:.0f}", f"{r['our_batch']}, {r['their_batch']}", theirs(r)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def names(known):
    def parse(text):
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is not one of {', '.join(known)}")
        return chosen
    return parse


def main():
    parser = argparse.ArgumentParser(
        prog="pipeline/bench --against-pytorch", description=__doc__.split("\n\n")[0],
        epilog="Lists are separated by commas.")
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--networks", type=names(NETWORKS), default=NETWORKS, help=f"of {', '.join(NETWORKS)}")
    parser.add_argument("--works", type=names(WORKS), default=WORKS, help=f"of {', '.join(WORKS)}")
    parser.add_argument("--modes", type=names(MODES), default=MODES, help=f"PyTorch's, of {', '.join(MODES)}")
    parser.add_argument(
        "--batches", type=lambda text: [int(n) for n in text.split(",")], help="that each side chooses from")
    parser.add_argument("--repetitions", type=int, default=7, help="pairs (default: 7)")
    parser.add_argument("--threads", type=int, default=2, help="of each side (default: 2)")
    parser.add_argument("--our-options", default="", help="further options of sid-bench, in one argument")
    parser.add_argument("--json", help="write the results to this file")
    parser.add_argument("--markdown", help="write them as a table to this file")
    options = parser.parse_args()

    # Asked to stop, it ends the workers and removes its files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    everything = []
    print(HEADING, flush=True)
    with tempfile.TemporaryDirectory(prefix="sid-bench-") as folder:
        for network in options.networks:
            sides = Sides(options, network, folder)
            for work in options.works:
                if (work in ["features", "frechet"]) != (network == "inception-v3"):
                    continue
                note(f"{network} {work}")
                for name, result in measured(sides, work):
                    everything.append({"network": network, "work": name, "threads": options.threads} | result)
                    print(row(everything[-1]), flush=True)
                    if options.json:
                        with open(options.json, "w") as file:
                            json.dump(everything, file, indent=2)
                    if options.markdown:
                        with open(options.markdown, "w") as file:
                            file.write(markdown(everything))
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)


if __name__ == "__main__":
    main()
