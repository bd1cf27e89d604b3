import Diagnostics

/// torch.save's zip form: one folder with the pickle of the object and an entry for each storage.
enum TorchZipArchive {
  /// Whether an entry is the pickle of an archive's object.
  static func isPickle(_ entry: ZipDirectory.Entry) -> Bool {
    entry.name == "data.pkl" || entry.name.hasSuffix("/data.pkl")
  }

  /// The entries by their names inside the archive's folder.
  static func contents(of directory: ZipDirectory, in file: CheckpointFile) throws -> [String: ZipDirectory.Entry] {
    let pickles = directory.entries.filter(isPickle)
    // Beside the pickle of the tensors there are those of constants, and source text.
    let isProgram = directory.entries.contains { $0.name == "constants.pkl" || $0.name.hasSuffix("/constants.pkl") }
    guard !isProgram else {
      throw file.refuse(
        "a TorchScript archive (torch.jit.save), which holds a program beside its tensors",
        remedy: "save its state_dict: torch.save(torch.jit.load(FILE).state_dict(), OUT)")
    }
    guard pickles.count == 1, let pickle = pickles.first else {
      throw file.refuse(
        "a zip archive with \(pickles.count) entries data.pkl; a file of torch.save has one",
        remedy: "data sets are read by sid-score reference, not as checkpoints")
    }
    if let compressed = directory.entries.first(where: \.isDeflated) {
      throw file.refuse(
        "the zip entry \(compressed.name) is compressed; torch.save stores its entries", remedy: "save the file again")
    }
    let folder = pickle.name.dropLast("data.pkl".count)
    var entries: [String: ZipDirectory.Entry] = [:]
    for entry in directory.entries where entry.name.hasPrefix(folder) {
      entries[String(entry.name.dropFirst(folder.count))] = entry
    }
    return entries
  }

  /// Reads the object's pickle, every storage with the place of its data.
  static func read(_ entries: [String: ZipDirectory.Entry], in file: CheckpointFile) throws -> PickleDocument {
    guard let pickle = entries["data.pkl"] else { throw file.refuse("a torch archive without data.pkl") }
    if let order = entries["byteorder"] {
      try file.verify(order)
      guard order.bytes.count <= 16, try file.bytes(order.bytes) == Array("little".utf8) else {
        throw file.refuse("an archive that was not written little-endian")
      }
    }
    try file.verify(pickle)
    var machine = PickleMachine(ByteCursor(file, pickle.bytes), storages: .entries(entries))
    let document = try machine.run()
    guard machine.cursor.remaining == 0 else {
      throw machine.refuse("\(machine.cursor.remaining) bytes follow the pickle")
    }
    return document
  }

  /// The short texts below `extra/`, where TorchScript too keeps what is no tensor.
  static func metadata(_ entries: [String: ZipDirectory.Entry], in file: CheckpointFile) throws -> [String: String] {
    var result: [String: String] = [:]
    for (name, entry) in entries
    where name.hasPrefix(metadataFolder) && entry.bytes.count <= 1 << 20 && result.count < 16 {
      try file.verify(entry)
      let bytes = try file.bytes(entry.bytes)
      if let text = String(validating: bytes, as: UTF8.self) {
        result[String(name.dropFirst(metadataFolder.count))] = text
      }
    }
    return result
  }

  static let metadataFolder = "extra/"
}
