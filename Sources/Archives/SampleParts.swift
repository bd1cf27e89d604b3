import Diagnostics
import Files
import Foundation
import HDF5

/// The finished parts of an archive that is being made: small files in a hidden folder beside it, `.NAME.parts`.
///
/// Each part is published atomically and says what it was made from, so any moment may be the last: whoever comes next
/// finds the parts that are whole and of the same making, and drops the rest. One process at a time holds the folder.
final class SampleParts {
  /// A run of images that is on the disk.
  struct Part {
    let images: Range<Int>
    let path: String
  }

  /// The whole parts in the order of their images, without overlap.
  private(set) var finished: [Part] = []
  /// How many parts of another making, or damaged, were dropped.
  private(set) var discarded = 0
  private let output: String
  private let folder: String
  private let provenance: String
  private let imageShape: [Int]
  private let hasLabels: Bool
  private let count: Int
  private let lock: FileLock

  /// Opens or creates the folder beside `output`.
  ///
  /// - Parameters:
  ///   - output: the archive.
  ///   - provenance: which images these are and what they are made from, program version and kernels included.
  ///   - imageShape: [H, W, C].
  ///   - hasLabels: whether parts hold labels.
  ///   - count: images of the whole archive.
  /// - Throws: a `Failure` where the folder cannot be made; `PartsHeld` where another process holds it.
  init(output: String, provenance: String, imageShape: [Int], hasLabels: Bool, count: Int) throws {
    self.output = output
    folder = Self.folder(of: output)
    self.provenance = provenance
    self.imageShape = imageShape
    self.hasLabels = hasLabels
    self.count = count
    lock = try Self.claim(folder)
    // A name that is no text is none of a part.
    let names = try ByteName.names(inFolder: folder).sorted().compactMap(\.text)
    for name in names where name != Self.lockName { examine(name) }
  }

  deinit { lock.release() }

  /// The folder of an archive's parts.
  static func folder(of output: String) -> String {
    let name = ((output as NSString).lastPathComponent as NSString).deletingPathExtension
    return (output.parentFolder as NSString).appendingPathComponent(".\(name).parts")
  }

  /// The images that are in no part, in runs.
  var missing: [Range<Int>] {
    var runs: [Range<Int>] = []
    var next = 0
    for part in finished {
      if part.images.lowerBound > next { runs.append(next..<part.images.lowerBound) }
      next = part.images.upperBound
    }
    if next < count { runs.append(next..<count) }
    return runs
  }

  /// Images that are on the disk.
  var finishedCount: Int { finished.reduce(0) { $0 + $1.images.count } }

  /// Publishes the images `range`.
  /// - Parameters:
  ///   - images: bytes, [range.count, H, W, C].
  ///   - labels: [range.count], empty without labels.
  func publish(_ range: Range<Int>, images: [UInt8], labels: [Int64]) throws {
    let path = folder + "/" + Self.name(of: range)
    try HDF5File.publish(path) { file in
      try file.root.setAttribute("provenance", provenance)
      try file.root.write(
        images, shape: [range.count] + imageShape, to: "images",
        storage: .chunked(rows: range.count, checksum: true, deflate: nil))
      if hasLabels {
        try file.root.write(
          labels, shape: [range.count], to: "labels", storage: .chunked(rows: range.count, checksum: true, deflate: nil)
        )
      }
    }
    let index = finished.firstIndex { $0.images.lowerBound > range.lowerBound } ?? finished.endIndex
    finished.insert(Part(images: range, path: path), at: index)
  }

  /// The images and labels of a part, checksums verified.
  /// - Throws: a `Failure` (`ioError`) after removing the part if it is damaged, so that the next run makes it anew.
  func read(_ part: Part) throws -> (images: [UInt8], labels: [Int64]) {
    do {
      let root = try HDF5File.open(part.path).root
      return (
        try root.dataset("images").read(UInt8.self), hasLabels ? try root.dataset("labels").read(Int64.self) : []
      )
    } catch let failure as Failure {
      unlink(part.path)
      throw Failure(
        .ioError, part.path, "a finished part cannot be read back (\(failure.problem))",
        remedy: "run the same command again, it makes the part anew")
    }
  }

  /// Removes the folder with everything in it. Leftovers cost space, not correctness, so this is best effort.
  func remove() { try? FolderTree.remove(folder) }

  /// Removes the folder that an interrupted run has left beside a finished archive.
  ///
  /// What another process has locked is left to it.
  /// - Throws: a `Failure` where it cannot be removed.
  static func remove(folder: String) throws {
    // Created where a removal was cut short that had come as far as the lock; without the folder there is nothing to do.
    let path = folder + "/" + lockName
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
    if descriptor < 0 && errno == ENOENT { return }
    guard descriptor >= 0 else { throw Failure.system(path, "open") }
    guard let lock = try FileLock(descriptor, of: path) else { return }
    try FolderTree.remove(folder)
    _ = consume lock
  }

  private static let lockName = "lock"

  private static func name(of range: Range<Int>) -> String {
    func digits(_ value: Int) -> String { String(repeating: "0", count: max(0, 12 - "\(value)".count)) + "\(value)" }
    return "\(digits(range.lowerBound))-\(digits(range.upperBound)).h5"
  }

  /// Takes a part in if it is whole and of this making, and drops it otherwise.
  private func examine(_ name: String) {
    let path = folder + "/" + name
    guard let range = Self.range(of: name), range.upperBound <= count,
      range.lowerBound >= finished.last?.images.upperBound ?? 0,
      let root = try? HDF5File.open(path).root, (try? root.stringAttribute("provenance")) == provenance,
      (try? root.dataset("images").shape) == [range.count] + imageShape,
      !hasLabels || (try? root.dataset("labels").shape) == [range.count]
    else {
      if name.hasSuffix(".h5") { discarded += 1 }
      unlink(path)
      return
    }
    finished.append(Part(images: range, path: path))
  }

  private static func range(of name: String) -> Range<Int>? {
    guard name.hasSuffix(".h5") else { return nil }
    let ends = name.dropLast(3).split(separator: "-").map { Int($0) }
    guard ends.count == 2, let first = ends[0], let last = ends[1], first < last else { return nil }
    return first..<last
  }

  /// Makes the folder and takes its lock.
  private static func claim(_ folder: String) throws -> FileLock {
    while true {
      if mkdir(folder, 0o755) == 0 {
        // Parts are as safe as the folder that they stand in.
        try AtomicFile.synchronize(AtomicFile.folder(of: folder))
      } else if errno != EEXIST {
        let failure = Failure.system(folder, "create")
        throw failure.status == .noInput
          ? Failure(.cannotCreate, folder, "its folder does not exist", remedy: "create the folder first") : failure
      }
      let path = folder + "/" + lockName
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
      if descriptor < 0 && errno == ENOENT { continue }  // removed by a run that has just ended
      guard descriptor >= 0 else { throw Failure.system(path, "create") }
      guard let lock = try FileLock(descriptor, of: path) else { throw PartsHeld(folder: folder) }
      // Otherwise the run that held the lock before has removed the folder.
      if lock.isNamed(path) { return lock }
    }
  }
}

/// Another process is making the same file.
struct PartsHeld: Error {
  let folder: String

  var failure: Failure {
    Failure(
      .temporaryFailure, folder, "another process is making this archive",
      remedy: "wait for it to end, then run this again")
  }
}
