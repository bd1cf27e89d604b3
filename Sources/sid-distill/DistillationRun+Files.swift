import Compute
import Diagnostics
import Distillation
import Foundation
import HDF5
import Images
import Models
import Stage
import Training

/// What a run reads and writes.
extension DistillationRun {
  func save(_ state: TrainingState, _ progress: Progress, _ wanted: Provenance) throws {
    try HDF5File.publish(command.state) { file in
      try state.write(to: file)
      try stamp(file, wanted)
      try file.root.setAttribute("curve", progress.curve.json)
      if let continues = progress.continues { try file.root.setAttribute("continues", continues) }
      try file.root.setAttribute("seconds", progress.seconds)
    }
  }

  func write(_ network: Network, to path: String, _ wanted: Provenance) throws {
    try HDF5File.publish(path) { file in
      try network.write(to: file)
      try stamp(file, wanted)
    }
  }

  func stamp(_ file: HDF5File, _ wanted: Provenance) throws {
    try file.root.setAttribute("created_by", "\(context.program) \(Version.package)")
    try file.root.setAttribute("provenance", wanted.json)
  }

  /// Publishes the generator, what belongs beside it, and at last the record.
  func publish(
    _ state: TrainingState, _ progress: Progress, _ wanted: Provenance, labelsOf images: StoredImages?
  ) throws {
    let curve = progress.curve
    if let fit = PowerLawFit(curve) { context.note("\(command.output): \(fit.sentence)") }
    try keep(curve, kimg: kimg(state), seconds: progress.seconds, labelsOf: images, provenance: wanted.json)
    try HDF5File.publish(command.output) { file in
      try state.generatorEMA.write(to: file)
      try stamp(file, wanted)
      try file.root.setAttribute("curve", curve.withoutTimes.json)
      if let continues = progress.continues { try file.root.setAttribute("continues", continues) }
    }
    try publishRecord(curve, wanted, provenance: wanted.json)
  }

  static func provenance(of path: String) throws -> String? {
    try HDF5File.open(path).root.stringAttribute("provenance")
  }

  func provenance() throws -> Provenance {
    let e = command.evaluation
    var inputs = ["teacher": try Provenance.Input(command.teacher)]
    var options = command.training.record(settings).merging(command.kernels.record) { $1 }
    options.merge(command.adversarial.record) { $1 }
    if let dataset = command.adversarial.dataset { inputs["dataset"] = try Provenance.Input(dataset) }
    if let labels = command.training.labels { inputs["labels"] = try Provenance.Input(labels) }
    if let generator = command.training.initialGenerator {
      inputs["initial-generator"] = try Provenance.Input(generator)
    }
    if e.evaluate, let features = e.features, let reference = e.reference {
      inputs["features"] = try Provenance.Input(features)
      inputs["reference"] = try Provenance.Input(reference)
      options["evaluate-kimg"] = "\(evaluateKimg)"
      options["evaluate-seeds"] = e.evaluateSeeds
      if e.settings.metrics.count > 1 {
        options["evaluate-metrics"] = e.settings.metrics.dropFirst().map(\.rawValue).joined(separator: ",")
      }
      options["reference-convention"] = e.referenceConvention?.rawValue
      options["reference-count"] = e.referenceCount.map { String($0) }
      if let limit = e.stopAtFD { options["stop-at-fd"] = "\(limit)" }
    }
    return Provenance(program: context.program, inputs: inputs, options: options, kernels: KernelSet.name)
  }

  /// What a state must have in common with a run that goes on from it: all but what is measured besides the distance, and,
  /// without a decay of the learning rates, the duration.
  static func resumable(_ provenance: Provenance, _ settings: DistillationSettings) -> Provenance {
    var options = provenance.options
    options["evaluate-metrics"] = nil
    if settings.learningRateDecayStartKimg == nil {
      options["duration-kimg"] = nil
      // Where the distance decides the end, so do the points at which it is measured.
      if options["stop-at-fd"] == nil { options["evaluate-kimg"] = nil }
    }
    return Provenance(
      program: provenance.program, version: provenance.version, inputs: provenance.inputs, options: options,
      kernels: provenance.kernels)
  }
}
