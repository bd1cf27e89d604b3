import Diagnostics
import Files
import Foundation
import Records

/// Writes the record of a step, `NAME.json` beside its output, when everything else is there.
///
/// A making goes: `begin`, which takes an old record away; the work; `keep`, which puts what only the making knows into the
/// draft `.NAME.json`; the output takes its name; what belongs beside it; `publish`. A run that finds the output finished and
/// no record goes on behind it with `kept`, so that nothing is made twice.
public struct StepRecorder: Sendable {
  /// The path of the output.
  public let output: String
  /// The stage, for example "score".
  public let stage: String

  /// - Parameters:
  ///   - output: the path of the output.
  ///   - stage: the stage, for example "score".
  public init(output: String, stage: String) { (self.output, self.stage) = (output, stage) }

  /// Where the record stands.
  public var path: String { StepRecord.path(of: output) }
  private var draftPath: String { StepRecord.draftPath(of: output) }
  private var folder: String { AtomicFile.folder(of: output) }
  private var outputName: String { (output as NSString).lastPathComponent }

  /// Whether the step is done: the record is complete and of this work, names all that is promised, and all it names is there.
  ///
  /// Nothing is read but the record. A draft that was left beside it goes.
  /// - Parameters:
  ///   - wanted: what the output would be made from now.
  ///   - promised: paths of files, and of folders of which at least one file is there.
  /// - Throws: a `Failure` where the record is there and cannot be read.
  public func isFinished(wanted: Provenance, promising promised: [String]) throws -> Bool {
    guard let record = try read(path), record.isComplete, let files = record.files,
      record.provenance.flatMap({ Provenance(json: $0) }).map({ wanted.difference(from: $0) == nil }) ?? false
    else { return false }
    let folders = Set(files.compactMap { $0.name.split(separator: "/").first.map(String.init) })
    let names = Set(files.map(\.name))
    guard try promised.allSatisfy({ try name($0).map { names.contains($0) || folders.contains($0) } ?? true }),
      try missing(from: record).isEmpty
    else { return false }
    try AtomicFile.remove(draftPath)
    try AtomicFile.removeAbandonedPartials(of: [draftPath])
    return true
  }

  /// What stands as the step's record, complete or not, whatever it is of; nil where there is none.
  /// - Throws: a `Failure` where it is there and cannot be read.
  public func found() throws -> StepRecord? { try read(path) }

  /// The files that a record names and that are not there.
  public func missing(from record: StepRecord) throws -> [String] {
    try (record.files ?? []).map(\.name).filter { name in
      var status = stat()
      guard lstat("\(folder)/\(name)", &status) == 0 else {
        if errno == ENOENT || errno == ENOTDIR { return true }
        throw Failure.system("\(folder)/\(name)", "look at it")
      }
      return status.st_mode & S_IFMT != S_IFREG
    }
  }

  /// Takes the old record and draft away before the output is made anew: a record tells of an output that is there.
  /// - Parameter overwrite: also where the output is there.
  /// - Throws: a `Failure` where something is in the record's way, found out before the work.
  public func begin(overwrite: Bool) throws {
    try OutputPlace(path).require()
    // Another process may have made it meanwhile.
    guard overwrite || access(output, F_OK) != 0 else { return }
    let wasThere = try [path, draftPath].map { try AtomicFile.remove($0) }
    if wasThere.contains(true) { try AtomicFile.synchronize(folder) }
  }

  /// Puts what is to be told of an output into the draft. Call it before the output takes its name.
  /// - Parameters:
  ///   - figures: the values that the daemon lifts to the top of a job's summary.
  ///   - details: anything else worth keeping.
  ///   - provenance: the output's provenance, to the letter.
  /// - Throws: a `Failure` naming the file where it cannot be written.
  public func keep(figures: [String: JSONValue], details: [String: JSONValue] = [:], provenance: String) throws {
    try write(
      StepRecord(stage: stage, output: outputName, figures: figures, details: details, provenance: provenance))
  }

  /// What was kept of an output that is there: by the draft of a run that was cut short, or by its record.
  ///
  /// Records of versions that did not write the provenance are taken as they stand.
  /// - Parameter provenance: what the output itself says, to the letter; a draft of another making is not used.
  public func kept(provenance: String) throws -> StepRecord? {
    if let draft = try read(draftPath), draft.output == outputName, draft.provenance == provenance { return draft }
    guard let record = try read(path), record.output == outputName, record.provenance ?? provenance == provenance else {
      return nil
    }
    return record
  }

  /// The provenance that record or draft name, for an output that cannot say it itself.
  public func recordedProvenance() throws -> String? {
    for place in [path, draftPath] {
      if let record = try read(place), record.output == outputName, let text = record.provenance { return text }
    }
    return nil
  }

  /// Publishes the record: the step is done.
  ///
  /// What killed writers have left of the step's files is removed before.
  /// - Parameters:
  ///   - provenance: of the output, to the letter.
  ///   - paths: the output and everything beside it; a folder stands for all files in it. What lies outside the record's
  ///     folder is passed over.
  ///   - digests: SHA-256 by path, of files whose digest is known.
  /// - Throws: a `Failure` where nothing was kept of this output, a file is missing, or the record cannot be written;
  ///   `Interrupted` where the process was asked to stop.
  public func publish(provenance: String, files paths: [String], digests: [String: String] = [:]) throws {
    guard var record = try kept(provenance: provenance) else {
      throw Failure(.software, path, "nothing was kept of this making", remedy: "please report this")
    }
    let own = Dictionary(try paths.compactMap { path in try name(path).map { ($0, path) } }) { first, _ in first }
    try AtomicFile.removeAbandonedPartials(of: [path, draftPath] + own.values)
    var files: [StepRecord.File] = []
    for (name, path) in own.sorted(by: { $0.key < $1.key }) {
      for (name, path) in try Self.files(name, path) {
        let digest = try digests[path] ?? SHA256.hexDigest(ofFile: path)
        files.append(.init(name: name, sha256: digest))
      }
    }
    record.stage = stage
    record.provenance = provenance
    record.files = files.sorted { ByteName($0.name) < ByteName($1.name) }
    try write(record)
    guard rename(draftPath, path) == 0 else { throw Failure.system(path, "rename \(draftPath) to it") }
    try AtomicFile.synchronize(folder)
  }

  /// A path by its place in the record's folder; nil where it lies elsewhere.
  private func name(_ path: String) throws -> String? {
    let parent = AtomicFile.folder(of: path)
    let name = (path as NSString).lastPathComponent
    if parent == folder { return name }
    var (its, own) = (stat(), stat())
    guard stat(folder, &own) == 0 else { throw Failure.system(folder, "look at it") }
    guard stat(parent, &its) == 0 else { return nil }
    return its.st_ino == own.st_ino && its.st_dev == own.st_dev ? name : nil
  }

  /// The plain files at or beneath a path, by name and path.
  private static func files(_ name: String, _ path: String) throws -> [(name: String, path: String)] {
    var status = stat()
    guard lstat(path, &status) == 0 else { throw Failure.system(path, "look at it") }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return [(name, path)]
    case S_IFDIR:
      return try ByteName.names(inFolder: path).flatMap { entry -> [(name: String, path: String)] in
        guard let text = entry.text else {
          throw Failure(.dataError, path, "holds the name \(entry), which is not UTF-8", remedy: "remove it")
        }
        return try files(name + "/" + text, path + "/" + text)
      }
    default: throw Failure(.dataError, path, "is no plain file", remedy: "remove it and run this again")
    }
  }

  private func write(_ record: StepRecord) throws {
    let data = Data(record.text.utf8)
    guard data.count <= StepRecord.largestBytes else {
      throw Failure(
        .cannotCreate, path, "\(record.files?.count ?? 0) files are too many for a record",
        remedy: "export fewer and larger files: --export webdataset")
    }
    try AtomicFile.publish(draftPath, data: data)
  }

  /// Nil where there is none, or what stands there is no record.
  private func read(_ path: String) throws -> StepRecord? {
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    if descriptor < 0 && (errno == ENOENT || errno == ELOOP) { return nil }
    guard descriptor >= 0 else { throw Failure.system(path, "open") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure.system(path, "look at it") }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_size <= StepRecord.largestBytes else { return nil }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var done = 0
    while done < bytes.count {
      let room = bytes.count - done
      let n = bytes.withUnsafeMutableBytes { Foundation.read(descriptor, $0.baseAddress?.advanced(by: done), room) }
      if n < 0 && errno == EINTR { continue }
      guard n >= 0 else { throw Failure.system(path, "read") }
      if n == 0 { break }
      done += n
    }
    return StepRecord(json: Array(bytes.prefix(done)))
  }
}
