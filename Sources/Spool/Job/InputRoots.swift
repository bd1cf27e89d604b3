import Files
import CLinux
import Diagnostics
import Foundation
import YAML

/// The folders beneath which a job may name input files.
public struct InputRoots: Sendable {
  /// The folders, searched in this order.
  public let folders: [String]

  /// - Parameter folders: searched in this order.
  public init(_ folders: [String]) { self.folders = folders }

  /// The real paths of those folders that exist.
  var realFolders: [String] { folders.compactMap { try? RealPath.of($0) } }

  /// What is wrong with `path` as it is written, or nil.
  static func problem(with path: String) -> String? {
    if path.hasPrefix("/") { return "is an absolute path" }
    let components = path.split(separator: "/", omittingEmptySubsequences: false)
    if components.contains("..") { return "climbs out of its folder with \"..\"" }
    if components.contains("") || components.contains(".") { return "has an empty part" }
    if path.utf8.count >= PATH_MAX { return "is too long" }
    return nil
  }

  /// The real path of an input file.
  ///
  /// A relative link may lead elsewhere within a root; nothing leads out of it, whatever is renamed meanwhile
  /// (`BeneathFolder`). The stage is handed the real path, in which no component is a link, and is itself confined to the
  /// roots (`StageProcess`), should a component be replaced before the stage opens it. The file is looked at, never opened.
  /// - Parameter submitter: the user the job is of; nil for no check of whose file it is.
  /// - Throws: a `Failure` with status `noInput` where no root holds it, `dataError` where what the roots hold of this name
  ///   is not a plain file, may not be read, leads out of its root, or is another user's file by a second name.
  public func resolve(_ path: String, submitter: UInt32? = nil) throws -> String {
    if let problem = Self.problem(with: path) { throw Failure(.dataError, path, problem) }
    // What is of no use in one root does not hide a good file in the next.
    var obstacles: [Failure] = []
    for folder in folders {
      do {
        if let file = try resolve(path, in: folder, submitter: submitter) { return file }
      } catch let failure as Failure where failure.status == .dataError {
        obstacles.append(failure)
      }
    }
    // The most useful one says what to do.
    if let obstacle = obstacles.first(where: { $0.remedy != nil }) ?? obstacles.first { throw obstacle }
    let searched = folders.isEmpty ? "there are none" : folders.joined(separator: ", ")
    throw Failure(.noInput, path, "neither an earlier step nor a file beneath an input root (\(searched))")
  }

  /// The real path of an input file beneath one root; nil where that holds nothing of this name.
  private func resolve(_ path: String, in folder: String, submitter: UInt32?) throws -> String? {
    let root = open(folder, sid_path_only() | O_DIRECTORY | O_CLOEXEC)
    guard root >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      if errno == EACCES {
        throw Failure(
          .dataError, path, "may stand in the input root \(folder), which \(Users.shown(geteuid())) may not look into",
          remedy: "make that folder searchable, or take it out of the input roots")
      }
      throw Failure.system(folder, "look for \(path) there")
    }
    defer { close(root) }
    guard let file = try BeneathFolder.find(path, root: root, rootName: folder) else { return nil }
    defer { close(file) }
    var entry = stat()
    guard fstat(file, &entry) == 0, entry.st_mode & S_IFMT == S_IFREG else {
      throw Failure(.dataError, path, "is not a plain file in the input root \(folder)")
    }
    guard access("/proc/self/fd/\(file)", R_OK) == 0 else {
      throw Failure(
        .dataError, path, "may not be read by \(Users.shown(geteuid())), for whom the stages run",
        remedy: "make it readable for the group: chmod g+r")
    }
    // A second name of a file that its owner keeps elsewhere, out of the submitter's reach perhaps.
    if let submitter, submitter != 0, entry.st_nlink > 1, entry.st_uid != submitter {
      throw Failure(
        .dataError, path, "has other names (hard links) and belongs to \(Users.shown(entry.st_uid))",
        remedy: "copy the file there")
    }
    return try Self.name(of: file, path)
  }

  /// The absolute path of the file that a descriptor stands for.
  private static func name(of file: Int32, _ path: String) throws -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/fd/\(file)", &buffer, buffer.count)
    guard count > 0, count < buffer.count, let name = String(validating: buffer[..<count], as: UTF8.self) else {
      throw Failure(.dataError, path, "has no absolute path that could be handed on")
    }
    return name
  }
}

extension JobFile {
  /// Checks that every input file stands beneath an input root, as far as the machine lets one look; what is short for the
  /// moment shows when the step starts.
  /// - Throws: `YAMLError` with the line and the key of the first that does not.
  public func checkInputs(_ roots: InputRoots, submitter: UInt32? = nil) throws {
    for step in steps {
      for setting in step.settings {
        guard case .input(.file(let path)) = setting.value else { continue }
        do {
          _ = try roots.resolve(path, submitter: submitter)
        } catch let failure as Failure where failure.status == .dataError || failure.status == .noInput {
          throw YAMLError(
            line: setting.line, key: setting.option.name, "\"\(path)\": \(failure.problem)", remedy: failure.remedy)
        } catch is Failure {
          continue
        }
      }
    }
  }
}

extension JobStep {
  /// The program's arguments, without its name.
  ///
  /// Outputs and earlier steps' outputs are file names within the job's folder, where the stage runs; input files are
  /// real paths. Values are joined to their option, so that none can be taken for another option.
  /// - Throws: a `Failure` where an input file is missing.
  func arguments(_ roots: InputRoots, submitter: UInt32? = nil, progressDescriptor: Int32?) throws -> [String] {
    var arguments = stage.subcommand.map { [$0] } ?? []
    for setting in settings {
      let option = setting.option
      switch setting.value {
      case .text(let text): arguments.append("--\(option.name)=\(text)")
      case .flag(true): arguments.append("--\(option.name)")
      case .flag(false): break
      case .list(let values): arguments += values.map { "--\(option.name)=\($0)" }
      case .input(let source):
        let path: String
        switch source {
        case .step(let name, let suffix): path = name + suffix
        case .file(let file): path = try roots.resolve(file, submitter: submitter)
        }
        arguments.append(option.isPositional ? path : "--\(option.name)=\(path)")
      }
    }
    // The stage runs in the job's folder.
    if let option = stage.folderOption { arguments.append("--\(option)=.") }
    arguments += stage.fileOptions.map { "--\($0.option)=\(name)\($0.suffix)" }
    if let progressDescriptor { arguments.append("--progress-fd=\(progressDescriptor)") }
    return arguments
  }
}
