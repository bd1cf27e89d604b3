import Compute
import Diagnostics
import Files

/// A file of tensors as other programs save them: EDM and SiD pickles, torch.save archives, safetensors, numpy arrays.
///
/// Opening reads the index alone; a tensor is read from the file when it is asked for, and not kept.
public final class Checkpoint: Sendable {
  /// The container of the file, by its content.
  public enum Kind: String, Sendable {
    /// A pickle of persistent objects, as EDM and SiD save snapshots.
    case pickle = "EDM pickle"
    /// torch.save's zip form: a state_dict, or SiD's training state.
    case torchZip = "torch zip archive"
    /// torch.save's old form.
    case torchLegacy = "torch archive of the old form"
    case safetensors = "safetensors file"
    /// One array of numpy (`.npy`), named `array`.
    case numpyArray = "numpy array"
    /// A zip of numpy arrays (`.npz`).
    case numpyArchive = "numpy archive"
  }

  /// The path it was opened by.
  public let path: String
  /// The container of the file.
  public let kind: Kind
  /// Texts that the writer added: `__metadata__` of safetensors, the entries below `extra/` of a torch zip archive.
  public let metadata: [String: String]
  private let file: CheckpointFile
  private let content: Content

  private enum Content: Sendable {
    case objects(PickleDocument, root: PickleDictionary)
    case tensors(CheckpointTensors)
  }

  private init(file: CheckpointFile, kind: Kind, metadata: [String: String] = [:], content: Content) {
    path = file.path
    self.metadata = metadata
    self.file = file
    self.kind = kind
    self.content = content
  }

  /// Opens a file and reads its index; the kind is told by the content, never by the name.
  /// - Throws: `noInput` where it does not exist, `dataError` where it is malformed or names what is not known.
  public static func open(_ path: String) throws -> Checkpoint {
    let file = try CheckpointFile(path)
    guard file.size > 0 else { throw file.refuse("the file is empty") }
    let beginning = try file.bytes(ByteRange(start: 0, count: min(file.size, 16)))
    if beginning.starts(with: ZipDirectory.signature) {
      let directory = try ZipDirectory(file)
      if NumpyArchive.matches(directory) {
        let tensors = try CheckpointTensors(NumpyArchive.read(directory, in: file), file: file)
        return Checkpoint(file: file, kind: .numpyArchive, content: .tensors(tensors))
      }
      let entries = try TorchZipArchive.contents(of: directory, in: file)
      return try Checkpoint(
        file: file, kind: .torchZip, metadata: TorchZipArchive.metadata(entries, in: file),
        document: TorchZipArchive.read(entries, in: file))
    }
    if beginning.starts(with: NumpyHeader.magic) {
      let tensors = try CheckpointTensors([("array", NumpyArchive.readArray(file))], file: file)
      return Checkpoint(file: file, kind: .numpyArray, content: .tensors(tensors))
    }
    if beginning.starts(with: TorchLegacyArchive.magic) {
      return try Checkpoint(file: file, kind: .torchLegacy, document: TorchLegacyArchive.read(file, file.everything))
    }
    if Safetensors.matches(beginning) {
      let (tensors, metadata) = try Safetensors.read(file)
      return Checkpoint(
        file: file, kind: .safetensors, metadata: metadata,
        content: .tensors(try CheckpointTensors(tensors, file: file)))
    }
    guard beginning[0] == 0x80 else {
      throw file.refuse("neither a pickle, a torch archive, a safetensors file nor a numpy array")
    }
    var machine = PickleMachine(ByteCursor(file, file.everything), storages: .nested)
    let document = try machine.run()
    guard machine.cursor.remaining == 0 else {
      throw machine.refuse("\(machine.cursor.remaining) bytes follow the pickle")
    }
    return try Checkpoint(file: file, kind: .pickle, document: document)
  }

  private convenience init(
    file: CheckpointFile, kind: Kind, metadata: [String: String] = [:], document: PickleDocument
  ) throws {
    guard let root = document.dictionary(document.root) else {
      throw file.refuse("the \(kind.rawValue) does not hold a dictionary")
    }
    self.init(file: file, kind: kind, metadata: metadata, content: .objects(document, root: root))
  }

  /// The names of the top level: `ema`, `loss_fn`, ... of a snapshot; the tensor names of a state_dict.
  public var keys: [String] {
    switch content {
    case .objects(_, let root): root.keys.compactMap { if case .text(let key) = $0 { key } else { nil } }
    case .tensors(let tensors): tensors.tensorNames
    }
  }

  /// Those keys whose value is a network (an object that has parameters).
  public var moduleKeys: [String] {
    guard case .objects(let document, let root) = content else { return [] }
    return keys.filter { key in
      guard case .object(let index)? = root[key], let state = document.objects[index].state else { return false }
      return document.dictionaries[state]["_modules"] != nil
    }
  }

  /// The network under a key.
  /// - Throws: `dataError` naming the keys there are, where this one is missing or is no network.
  public func module(_ key: String) throws -> CheckpointModule {
    guard moduleKeys.contains(key), case .objects(let document, let root) = content,
      case .object(let index)? = root[key]
    else {
      let known = moduleKeys.isEmpty ? "it holds no networks as objects" : "its networks: \(list(moduleKeys))"
      throw file.refuse(
        keys.contains(key)
          ? "the value of key \"\(key)\" is no network; \(known)" : "there is no key \"\(key)\"; \(known)",
        remedy: moduleKeys.isEmpty ? "its keys: \(list(keys))" : "name one of them as the key")
    }
    return try CheckpointModule(index, of: document, file: file)
  }

  /// The plain value under a key, nil where there is none or it is not plain.
  public func plainValue(_ key: String) -> PlainValue? {
    guard case .objects(let document, let root) = content, let value = root[key] else { return nil }
    return document.plain(value)
  }

  /// The tensors of a state_dict: of the whole file, or of the dictionary under `key`.
  /// - Throws: `dataError` where it holds anything but tensors.
  public func stateDictionary(key: String? = nil) throws -> CheckpointTensors {
    switch content {
    case .tensors(let tensors):
      guard key == nil else { throw file.refuse("a \(kind.rawValue) has no key \"\(key ?? "")\"") }
      return tensors
    case .objects(let document, let root):
      var dictionary = root
      if let key {
        guard let inner = document.dictionary(root[key]) else {
          throw file.refuse("there is no dictionary under the key \"\(key)\"; keys: \(list(keys))")
        }
        dictionary = inner
      }
      var entries: [(name: String, tensor: StoredTensor)] = []
      for (name, value) in zip(dictionary.keys, dictionary.values) {
        guard case .text(let name) = name, case .tensor(let index) = value else {
          throw file.refuse("not a state_dict: the value of \(name) is no tensor")
        }
        entries.append((name, document.tensor(index)))
      }
      return try CheckpointTensors(entries, file: file)
    }
  }

  /// The optimizer state under a key, such as `fake_score_optimizer_state` of SiD's training state.
  /// - Throws: `dataError` where there is none.
  public func optimizerState(_ key: String) throws -> OptimizerState {
    guard case .objects(let document, let root) = content else {
      throw file.refuse("a \(kind.rawValue) has no optimizer state")
    }
    return try OptimizerState(root[key], key: key, of: document, file: file)
  }

  private func list(_ names: [String]) -> String {
    names.prefix(8).map { "\"\($0)\"" }.joined(separator: ", ") + (names.count > 8 ? ", ..." : "")
  }
}
