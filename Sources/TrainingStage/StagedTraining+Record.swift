import Diagnostics
import Files
import Foundation
import HDF5
import Records
import Stage
import Training

/// What belongs to a network beside its file, and the record of it.
extension StagedTraining {
  var recorder: StepRecorder { StepRecorder(output: output, stage: names.stage) }
  var bestPath: String { stem + "-best.h5" }
  private var curvePath: String { stem + "-curve.png" }

  /// Puts what is to be told of the network into the draft of its record.
  /// - Parameters:
  ///   - seconds: of training and evaluating; nil where that is not known any more.
  ///   - details: what the record tells of the inputs.
  func keep(
    _ curve: EvaluationCurve, kimg: Double, seconds: Double?, details inputDetails: [String: JSONValue],
    provenance: String
  ) throws {
    var figures: [String: JSONValue] = [names.kimgFigure: .double(kimg)]
    figures[names.secondsFigure] = seconds.map { .double($0) }
    var details = inputDetails
    details["curve"] = .array(curve.points.map(\.summary))
    if let last = curve.points.last { figures[names.distanceFigure + "_last"] = .double(last.fd) }
    if let best = curve.best {
      figures[names.distanceFigure + "_best"] = .double(best.fd)
      figures[names.distanceFigure + "_best_kimg"] = .double(best.kimg)
    }
    if hasPlot(curve) { figures["curve_plot"] = .string((curvePath as NSString).lastPathComponent) }
    if let fit = PowerLawFit(curve) {
      figures[names.distanceFigure + "_slope"] = .double(fit.slope)
      details["fit"] = fit.summary
    }
    // One that is there is of another making, or nobody knows. From here on it is that of the network beside it.
    try AtomicFile.remove(curvePath)
    try recorder.keep(figures: figures, details: details, provenance: provenance)
  }

  /// Plots the curve, and publishes the record of a network that is there.
  /// - Parameters:
  ///   - wanted: what this run makes.
  ///   - provenance: what the network says.
  func publishRecord(_ curve: EvaluationCurve, _ wanted: Provenance, provenance: String) throws {
    if hasPlot(curve), access(curvePath, F_OK) != 0 { try curve.plot(PowerLawFit(curve), names).write(to: curvePath) }
    var files = promised(curve) + (try snapshots(wanted))
    // Kept for another run that goes on from here; who removes it has no need of it.
    if access(statePath, F_OK) == 0 { files.append(statePath) }
    if let log, access(log.path, F_OK) == 0 { files.append(log.path) }
    try recorder.publish(provenance: provenance, files: files)
  }

  /// Completes the record of a network that was found finished, if that is necessary.
  /// - Throws: a `Failure` (`noInput`) where a network is gone that only the training makes.
  func completeRecord(_ wanted: Provenance) throws {
    let root = try HDF5File.open(output).root
    let provenance = try root.stringAttribute("provenance")
    let curve = EvaluationCurve(json: try root.stringAttribute("curve")) ?? EvaluationCurve()
    if try recorder.isFinished(wanted: wanted, promising: promised(curve)) { return }
    try refuseLostNetworks(curve, wanted)
    if try recorder.kept(provenance: provenance) == nil {
      // The distance may have ended the training.
      let kimg = isGoodEnough(curve) ? curve.points.last?.kimg : nil
      try keep(
        curve, kimg: kimg ?? durationKimg, seconds: nil, details: try recordDetails(), provenance: provenance)
    }
    try publishRecord(curve, wanted, provenance: provenance)
  }

  private func refuseLostNetworks(_ curve: EvaluationCurve, _ wanted: Provenance) throws {
    var gone = Set(try recorder.found().map { try recorder.missing(from: $0) } ?? [])
    for path in [statePath] + (log.map { [$0.path] } ?? [])
    where gone.remove((path as NSString).lastPathComponent) != nil {
      context.note("\(path): is gone; the record is renewed without it")
    }
    gone.remove((curvePath as NSString).lastPathComponent)
    if !curve.points.isEmpty, !isOfThisRun(bestPath, wanted) { gone.insert((bestPath as NSString).lastPathComponent) }
    if let first = gone.min() {
      throw Failure(
        .noInput, "\(AtomicFile.folder(of: output))/\(first)", "is gone, and only the training makes it",
        remedy: "put it back, or give --overwrite to train anew")
    }
  }

  /// What is there in any case, besides what only some of the runs leave.
  private func promised(_ curve: EvaluationCurve) -> [String] {
    [output] + (curve.points.isEmpty ? [] : [bestPath]) + (hasPlot(curve) ? [curvePath] : [])
  }

  private func hasPlot(_ curve: EvaluationCurve) -> Bool { curve.points.count > 1 }

  /// The averages that this run, or one that it went on from, has left on the way.
  private func snapshots(_ wanted: Provenance) throws -> [String] {
    let folder = AtomicFile.folder(of: output)
    let prefix = (stem as NSString).lastPathComponent + "-"
    return try ByteName.names(inFolder: folder).compactMap(\.text).filter { name in
      guard name.hasPrefix(prefix), name.hasSuffix(".h5") else { return false }
      let number = name.dropFirst(prefix.count).dropLast(".h5".count)
      return number.utf8.count >= 6 && number.allSatisfy { $0.isASCII && $0.isNumber }
        && isOfThisRun("\(folder)/\(name)", wanted)
    }.map { "\(folder)/\($0)" }
  }

  /// Whether a network was left by this run, or by one that it went on from.
  private func isOfThisRun(_ path: String, _ wanted: Provenance) -> Bool {
    guard let text = try? Self.provenance(of: path), let other = Provenance(json: text) else { return false }
    return resumable(wanted).difference(from: resumable(other)) == nil
  }
}
