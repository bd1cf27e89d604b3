import Compute
import Diagnostics
import Files

/// A file of tensors as other programs save them: EDM and SiD pickles, torch.save archives, safetensors, numpy arrays.
///
/// Opening reads the index alone; a tensor is read from the file when it is asked for, and not kept. What nobody asks for
/// may be anything: objects of foreign classes, arrays of text.
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
  let file: CheckpointFile
  let content: Content

  enum Content: Sendable {
    case objects(PickleDocument, PickleSurvey, root: Int)
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
  /// - Throws: `noInput` where it does not exist, `dataError` where it is malformed or something else.
  public static func open(_ path: String) throws -> Checkpoint {
    let file = try CheckpointFile(path)
    let beginning = try file.bytes(ByteRange(start: 0, count: min(file.size, FileGuess.neededBytes)))
    if beginning.starts(with: ZipDirectory.signature) { return try openZip(file) }
    if beginning.starts(with: NumpyHeader.magic) {
      let tensors = try CheckpointTensors([("array", NumpyArchive.readArray(file))], file: file)
      return Checkpoint(file: file, kind: .numpyArray, content: .tensors(tensors))
    }
    if beginning.starts(with: TorchLegacyArchive.magic) {
      return try Checkpoint(file: file, kind: .torchLegacy, document: TorchLegacyArchive.read(file, file.everything))
    }
    guard !isOldPickle(beginning) else {
      throw file.refuse("a pickle of protocol 0 or 1; protocols 2 to 5 are read", remedy: PickleMachine.protocolRemedy)
    }
    let guess = beginning.first == 0x80 ? nil : FileGuess(beginning)
    if guess == nil, Safetensors.matches(beginning) {
      let content = try Safetensors.read(file)
      return Checkpoint(
        file: file, kind: .safetensors, metadata: content.metadata,
        content: .tensors(try CheckpointTensors(content.tensors, leftOut: content.leftOut, file: file)))
    }
    guard beginning.first == 0x80 else {
      let known = FileGuess(ofFile: path) ?? guess
      throw file.refuse(
        "neither a pickle, a torch archive, a safetensors file nor a numpy array"
          + (known.map { ": it is \($0.kind)" } ?? ""), remedy: known?.remedy)
    }
    var machine = PickleMachine(ByteCursor(file, file.everything), storages: .nested)
    let document = try machine.run()
    guard machine.cursor.remaining == 0 else {
      throw machine.refuse("\(machine.cursor.remaining) bytes follow the pickle")
    }
    return try Checkpoint(file: file, kind: .pickle, document: document)
  }

  /// Whether a file begins as a dictionary, a list or torch.save's magic number in the protocols of pickle that have no
  /// header: `(dp0`, `}q`, `L1195...L`.
  private static func isOldPickle(_ beginning: [UInt8]) -> Bool {
    ["(dp", "(lp", "}q\u{0}", "]q\u{0}", "ccollections\n", "L119547037146038801333356L"].contains {
      beginning.starts(with: $0.utf8)
    }
  }

  private static func openZip(_ file: CheckpointFile) throws -> Checkpoint {
    let directory = try ZipDirectory(file)
    guard NumpyArchive.matches(directory) else {
      let entries = try TorchZipArchive.contents(of: directory, in: file)
      return try Checkpoint(
        file: file, kind: .torchZip, metadata: TorchZipArchive.metadata(entries, in: file),
        document: TorchZipArchive.read(entries, in: file))
    }
    let (arrays, others) = NumpyArchive.contents(of: directory)
    var tensors: [(name: String, tensor: StoredTensor)] = []
    var leftOut: [(name: String, what: String)] = []
    for (name, entry) in arrays {
      do {
        tensors.append((name, try NumpyArchive.read(entry, in: file)))
      } catch let failure as Failure where failure.status == .dataError {
        let own = "\(entry.name): "
        let problem = failure.problem
        leftOut.append((name, problem.hasPrefix(own) ? String(problem.dropFirst(own.count)) : problem))
      }
    }
    // What makes the only array unreadable is what is wrong with the file.
    if tensors.isEmpty, let first = leftOut.first { throw file.refuse("\(first.name): \(first.what)") }
    leftOut += others.map { ($0, "no array of numpy") }
    return Checkpoint(
      file: file, kind: .numpyArchive,
      content: .tensors(try CheckpointTensors(tensors, leftOut: leftOut, file: file)))
  }

  private convenience init(
    file: CheckpointFile, kind: Kind, metadata: [String: String] = [:], document: PickleDocument
  ) throws {
    guard case .dictionary(let root) = document.root else {
      throw file.refuse(
        "the \(kind.rawValue) does not hold a dictionary, but \(document.description(of: document.root))",
        remedy: "save a state_dict: torch.save(network.state_dict(), FILE)")
    }
    self.init(
      file: file, kind: kind, metadata: metadata, content: .objects(document, PickleSurvey(document), root: root))
  }

  /// The names of the top level: `ema`, `loss_fn`, ... of a snapshot; the tensor names of a state_dict.
  public var keys: [String] {
    switch content {
    case .objects(let document, _, let root): document.dictionaries[root].keys.compactMap(\.title)
    case .tensors(let tensors): tensors.tensorNames
    }
  }

  /// Those keys of the top level whose value is a network (an object that has parameters).
  public var moduleKeys: [String] {
    guard case .objects(let document, _, let root) = content else { return [] }
    let dictionary = document.dictionaries[root]
    return zip(dictionary.keys, dictionary.values).compactMap { key, value in
      document.isModule(value) ? key.title : nil
    }
  }

  /// Whether there is a network as an object under a key.
  public func isModule(_ key: String) -> Bool {
    guard case .objects(let document, _, let root) = content, let value = document.value(at: key, in: root) else {
      return false
    }
    return document.isModule(value)
  }

  /// The network under a key, which may reach into nested dictionaries: `model.ema`.
  /// - Throws: `dataError` naming what there is, where this one is missing or is no network.
  public func module(_ key: String) throws -> CheckpointModule {
    guard case .objects(let document, _, let root) = content,
      case .object(let index)? = document.value(at: key, in: root),
      document.isModule(.object(index))
    else { throw refusal(key, wanted: "network") }
    return try CheckpointModule(index, of: document, file: file)
  }

  /// The plain value under a key, nil where there is none or it is not plain.
  public func plainValue(_ key: String) -> PlainValue? {
    guard case .objects(let document, _, let root) = content, let value = document.value(at: key, in: root) else {
      return nil
    }
    return document.plain(value)
  }

  /// The tensors of a state_dict: of the whole file, or of the dictionary under `key`.
  ///
  /// What stands beside the tensors is passed over and listed in `leftOut`.
  /// - Throws: `dataError` where there are none, naming where there are.
  public func stateDictionary(key: String? = nil) throws -> CheckpointTensors {
    switch content {
    case .tensors(let tensors):
      guard key == nil else { throw refusal(key, wanted: "state_dict") }
      return tensors
    case .objects(let document, let survey, let root):
      var place = root
      if let key {
        guard case .dictionary(let index)? = document.value(at: key, in: root) else {
          throw refusal(key, wanted: "state_dict")
        }
        place = index
      }
      // Of several levels it is not clear which is meant, unless one is named.
      guard survey.tensorCounts[place] > 0, key != nil || !survey.holdsParts[place] else {
        throw refusal(key, wanted: "state_dict")
      }
      return try tensors(of: place)
    }
  }

  /// Whether the file itself is a state_dict: tensors, and nothing below them that could be another.
  public var isStateDictionary: Bool {
    switch content {
    case .tensors: true
    case .objects(_, let survey, let root): survey.isStateDictionary(root)
    }
  }

  /// The network, or the state_dict, that an item is.
  /// - Throws: `dataError` where it is neither, or cannot be read.
  public func tensors(of item: CheckpointItem) throws -> CheckpointTensors {
    switch item.kind {
    case .module: try module(of: item).tensors
    case .stateDictionary: try tensors(of: item.index)
    case .dictionary, .value: throw refusal(item.key, wanted: "state_dict")
    }
  }

  /// The network that an item is.
  /// - Throws: `dataError` where it is none, or cannot be read.
  public func module(of item: CheckpointItem) throws -> CheckpointModule {
    guard case .objects(let document, _, _) = content, case .module = item.kind else {
      throw refusal(item.key, wanted: "network")
    }
    return try CheckpointModule(item.index, of: document, file: file)
  }

  /// The tensors that stand directly in a dictionary.
  private func tensors(of place: Int) throws -> CheckpointTensors {
    guard case .objects(let document, _, _) = content else { throw refusal(nil, wanted: "state_dict") }
    let dictionary = document.dictionaries[place]
    var entries: [(name: String, tensor: StoredTensor)] = []
    var leftOut: [(name: String, what: String)] = []
    for (name, value) in zip(dictionary.keys, dictionary.values) {
      if case .text(let name) = name, case .tensor(let index) = value {
        entries.append((name, document.tensor(index)))
      } else {
        leftOut.append(
          (name.title ?? "a key that is no text", "it is no tensor but \(document.description(of: value))"))
      }
    }
    return try CheckpointTensors(entries, leftOut: leftOut, file: file)
  }

  /// The optimizer state under a key, such as `fake_score_optimizer_state` of SiD's training state.
  /// - Throws: `dataError` where there is none.
  public func optimizerState(_ key: String) throws -> OptimizerState {
    guard case .objects(let document, _, let root) = content else {
      throw file.refuse("a \(kind.rawValue) has no optimizer state")
    }
    return try OptimizerState(document.value(at: key, in: root), key: key, of: document, file: file)
  }
}
