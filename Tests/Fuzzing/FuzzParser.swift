import Checkpoints
import Diagnostics
import Foundation
import Images
import TestSupport

/// A reader of untrusted files, with cases to begin from and a mutation that knows their structure.
public struct FuzzParser: Sendable {
  /// A part of a case that a reader has to deal with, and where it begins.
  struct Record {
    let name: String
    let place: Int
  }

  /// The reader's name, for folders and reports.
  public let name: String
  /// What the reader may meet; a report names those that were not reached.
  public let knownRecords: [String]
  /// Cases to begin from.
  public let seeds: [[UInt8]]
  let mutate: @Sendable ([UInt8], _ donor: [UInt8], inout FuzzRandom) -> [UInt8]
  let records: @Sendable ([UInt8]) -> [Record]
  /// Reads a whole file.
  let read: @Sendable (String) throws -> Void

  /// Reads a case that stands in a file.
  /// - Returns: what it came to, and the records that were reached.
  /// - Throws: nothing: a reader's errors are outcomes.
  public func run(_ path: String, _ bytes: [UInt8]) -> (outcome: FuzzOutcome, reached: [String]) {
    do {
      try read(path)
      return (.accepted, records(bytes).map(\.name))
    } catch let failure as Failure {
      guard failure.status == .dataError else { return (.defect("status \(failure.status): \(failure)"), []) }
      // The place where a reader stopped tells what it got through.
      let reached = records(bytes).filter { $0.place < Self.place(in: failure.problem) }.map(\.name)
      return (.refused(failure.problem), reached)
    } catch {
      return (.defect("foreign error: \(error)"), [])
    }
  }

  /// A changed case.
  public func mutated(_ bytes: [UInt8], donor: [UInt8], _ random: inout FuzzRandom) -> [UInt8] {
    Array(mutate(bytes, donor, &random).prefix(1 << 22))
  }

  private static func place(in problem: String) -> Int {
    guard problem.hasPrefix("byte "), let number = problem.dropFirst(5).prefix(while: \.isNumber).wholeNumber else {
      return 0
    }
    return number
  }
}

extension Substring {
  fileprivate var wholeNumber: Int? { Int(self) }
}

/// What became of a case.
public enum FuzzOutcome: Sendable, Equatable {
  case accepted
  /// Refused as malformed, for a reason.
  case refused(String)
  /// Anything else is a defect.
  case defect(String)

  /// The kind of outcome: the beginning and the end of the reason, since names and numbers of one case stand between.
  var signature: String {
    switch self {
    case .accepted: return "accepted"
    case .refused(let problem):
      let text = problem.hasPrefix("byte ") ? problem.drop { $0 != ":" } : problem[...]
      let words = String(text.unicodeScalars.filter { $0.isASCII && !("0"..."9").contains($0) }.map(Character.init))
      return words.count > 32 ? "\(words.prefix(16))...\(words.suffix(16))" : words
    case .defect(let problem): return "defect: " + problem
    }
  }
}

extension FuzzParser {
  /// Every parser of the package that reads files of strangers.
  public static func all() throws -> [FuzzParser] {
    [
      try pickle(), try torchArchive(), try torchLegacy(), try safetensors(), try numpy(), try imageArchive(),
      try imageTar(), try imageNumpy(), try labelsFile(), try netpbm(), try png(), try jpeg(), try anyPicture(),
      try hdf5(), try jobFile(), try report(),
    ]
  }

  static func fixture(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: Fixtures.path(name))))
  }

  /// Fixtures of a folder with one of the extensions, up to a size.
  static func fixtures(_ folder: String, _ extensions: [String], upTo limit: Int) throws -> [[UInt8]] {
    try FileManager.default.contentsOfDirectory(atPath: Fixtures.path(folder)).sorted()
      .filter { name in extensions.contains { name.hasSuffix("." + $0) } }.map { try fixture(folder + "/" + $0) }
      .filter { $0.count <= limit }
  }
}
