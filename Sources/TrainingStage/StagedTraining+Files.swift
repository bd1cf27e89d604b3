import Diagnostics
import HDF5
import Models
import Records
import Sampling
import Stage
import Training

/// What a run reads and writes.
extension StagedTraining {
  func save(_ state: TrainingState, _ progress: TrainingProgress, _ wanted: Provenance) throws {
    try HDF5File.publish(statePath) { file in
      try state.write(to: file)
      try stamp(file, wanted)
      try file.root.setAttribute("curve", progress.curve.json)
      try progress.samples?.write(to: file.root)
      if let continues = progress.continues { try file.root.setAttribute("continues", continues) }
      if let log = progress.log { try file.root.setAttribute("log", log) }
      try file.root.setAttribute("seconds", progress.seconds)
    }
  }

  func write(_ network: Network, to path: String, _ wanted: Provenance) throws {
    try HDF5File.publish(path) { file in
      try network.write(to: file)
      try stamp(file, wanted)
    }
  }

  private func stamp(_ file: HDF5File, _ wanted: Provenance) throws {
    try file.root.setAttribute("created_by", "\(context.program) \(Version.package)")
    try file.root.setAttribute("provenance", wanted.json)
  }

  /// Publishes the network, what belongs beside it, and at last the record.
  func publish(
    _ state: TrainingState, _ progress: TrainingProgress, _ wanted: Provenance, details: [String: JSONValue]
  ) throws {
    let curve = progress.curve
    if let fit = PowerLawFit(curve) { context.note("\(output): \(fit.sentence)") }
    try keep(curve, kimg: kimg(state), seconds: progress.seconds, details: details, provenance: wanted.json)
    try HDF5File.publish(output) { file in
      try output(of: state).write(to: file)
      try stamp(file, wanted)
      try file.root.setAttribute("curve", curve.withoutTimes.json)
      try progress.samples?.write(to: file.root)
      if let continues = progress.continues { try file.root.setAttribute("continues", continues) }
    }
    try publishRecord(curve, wanted, provenance: wanted.json)
  }

  static func provenance(of path: String) throws -> String? {
    try HDF5File.open(path).root.stringAttribute("provenance")
  }

  /// Adds what is measured on the way, where anything is, to inputs and options of the provenance.
  public func addEvaluation(to inputs: inout [String: Provenance.Input], _ options: inout [String: String]) throws {
    let e = evaluation
    guard e.evaluate, let features = e.features, let reference = e.reference else { return }
    inputs["features"] = try Provenance.Input(features)
    inputs["reference"] = try Provenance.Input(reference)
    options["evaluate-kimg"] = "\(evaluateKimg)"
    options["evaluate-seeds"] = e.evaluateSeeds
    options["evaluate-class"] = e.evaluateClass.map { "\(ClassChoice($0))" }
    if e.settings.metrics.count > 1 {
      options["evaluate-metrics"] = e.settings.metrics.dropFirst().map(\.rawValue).joined(separator: ",")
    }
    options.merge(e.npzReference.provenance) { $1 }
    if let limit = e.stopAtFD { options["stop-at-fd"] = "\(limit)" }
  }

  /// What a state must have in common with a run that goes on from it: all but what is measured besides the distance, and,
  /// without a decay of the learning rates, the duration.
  public static func resumable(_ provenance: Provenance, hasDecay: Bool) -> Provenance {
    var options = provenance.options
    options["evaluate-metrics"] = nil
    if !hasDecay {
      options["duration-kimg"] = nil
      // Where the distance decides the end, so do the points at which it is measured.
      if options["stop-at-fd"] == nil { options["evaluate-kimg"] = nil }
    }
    return Provenance(
      program: provenance.program, version: provenance.version, inputs: provenance.inputs, options: options,
      kernels: provenance.kernels)
  }
}
