import Diagnostics
import Files
import Foundation
import HDF5
import Models
import Records
import Scoring
import Stage

/// Shares of a score's pass over the scored images, each made by a process of its own and left beside the output.
///
/// A share (`sid-statistics-part`) says which it is, as `share`, and all that the score says of what it is made from, as
/// `provenance`, so that only shares of this very score are taken.
struct ScoreShares {
  let work: PassStage

  private var files: ShareFiles { ShareFiles(beside: work.output) }

  /// The pass over a share; nil where it has nothing to do, which is said.
  func part(_ share: WorkShare, of pass: FeaturePass) -> FeaturePass? {
    if let part = pass.share(share) { return part }
    work.context.note(
      "\(work.output): share \(share) has nothing to do: \(pass.totalRows) images are \(pass.segmentCount) segment(s) of "
        + "\(FeatureMoments.segmentRows), the work of no more than so many shares")
    return nil
  }

  /// Makes a share, unless it or the whole score is there.
  /// - Parameters:
  ///   - pass: the pass over it.
  ///   - images: the digest of all images.
  /// - Throws: a `Failure` with status `temporaryFailure` where another process is making it.
  func make(
    _ share: WorkShare, by pass: FeaturePass, images: String, featureNetworkSHA256: String, convention: InputConvention
  ) throws {
    let (output, note) = (work.output, work.context.note)
    guard let lock = try files.lock(share) else {
      throw Failure(
        .temporaryFailure, output, "another process is making share \(share)",
        remedy: "wait for it to end, then run this again")
    }
    try withExtendedLifetime(lock) {
      if try work.isMade() {
        try files.remove(share)
        return note("\(output): made from the same inputs already; share \(share) has nothing to do")
      }
      if try !work.context.options.overwrite && isThere(share) {
        try FeaturePass.removeScratch(files.scratch(share))
        return note("\(output): share \(share) is there; --shares \(share.count) scores all of them")
      }
      let gathered = try work.gather(pass, shareScratch: files.scratch(share))
      try HDF5File.publish(files.path(share)) { file in
        try StatisticsPart.write(
          gathered, images: images, featureNetworkSHA256: featureNetworkSHA256, convention: convention, to: file)
        try file.root.setAttribute("share", share.description)
        try work.stamp(file)
      }
      try FeaturePass.removeScratch(files.scratch(share))
      note("\(output): share \(share) is complete; --shares \(share.count) scores all of them")
    }
  }

  /// The files of all shares of a pass that have something to do.
  /// - Throws: a `Failure`: `noInput` where some are missing, `dataError` for the first that is of other work.
  func parts(_ count: Int, of pass: FeaturePass) throws -> [String] {
    let shares = (1...min(count, pass.segmentCount)).map { WorkShare($0, of: count) }
    let missing = try shares.filter { try !exists($0) }
    guard missing.isEmpty else {
      let named = missing.prefix(8).map(\.description).joined(separator: ", ") + (missing.count > 8 ? ", ..." : "")
      let others = try Set(files.found().filter { try $0.count != count && exists($0) }.map(\.count)).sorted()
      throw Failure(
        .noInput, work.output, "\(missing.count) of \(shares.count) shares are missing: \(named)",
        remedy: others.isEmpty
          ? "make them with this command and --share i/\(count) in place of --shares"
          : "there are shares of \(others.map(String.init).joined(separator: ", ")): give --shares that number")
    }
    for share in shares {
      guard let problem = try problem(share) else { continue }
      throw Failure(
        .dataError, files.path(share), problem.text,
        remedy: problem.isOfMachine
          ? "make it again on a machine of this kind: --share \(share)"
          : "make it again with the options of this command: --share \(share)")
    }
    return shares.map { files.path($0) }
  }

  private func exists(_ share: WorkShare) throws -> Bool {
    if access(files.path(share), F_OK) == 0 { return true }
    if errno == ENOENT { return false }
    throw Failure.system(files.path(share), "look at it")
  }

  /// Whether a share is there, of this work; what else has its name is made anew.
  private func isThere(_ share: WorkShare) throws -> Bool {
    guard try exists(share) else { return false }
    do {
      return try problem(share) == nil
    } catch let failure as Failure where ![.ioError, .temporaryFailure].contains(failure.status) {
      return false
    }
  }

  /// What keeps a share that is there from being used; nil where nothing does.
  /// - Throws: a `Failure` where it is none, or cannot be read.
  private func problem(_ share: WorkShare) throws -> (text: String, isOfMachine: Bool)? {
    let path = files.path(share)
    let file = try HDF5File.open(path)
    try file.requireFormat(StatisticsPart.format)
    guard let found = Provenance(json: try file.root.stringAttribute("provenance")),
      let name = WorkShare(try file.root.stringAttribute("share"))
    else { throw Failure(.dataError, path, "it does not say what it was made from", remedy: "remove it") }
    guard name == share else { return ("it is share \(name), not \(share)", false) }
    if let difference = work.provenance.difference(from: found) {
      return ("it is a share of another score: \(difference)", false)
    }
    func maker(_ provenance: Provenance) -> String { "\(provenance.version), \(provenance.kernels ?? "")" }
    guard maker(found) == maker(work.provenance) else {
      return ("it was computed by \(maker(found)), and this is \(maker(work.provenance))", true)
    }
    return nil
  }
}
