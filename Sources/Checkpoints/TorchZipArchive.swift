import Diagnostics

/// torch.save's zip form: one folder with the pickle of the object and an entry for each storage.
enum TorchZipArchive {
  static func read(_ file: CheckpointFile) throws -> PickleDocument {
    let directory = try ZipDirectory(file)
    let pickles = directory.entries.filter { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") }
    guard pickles.count == 1, let pickle = pickles.first else {
      throw file.refuse(
        "a zip archive with \(pickles.count) entries data.pkl; a file of torch.save has one",
        remedy: "data sets are read by sid-score reference, not as checkpoints")
    }
    let folder = pickle.name.dropLast("data.pkl".count)
    var entries: [String: ZipDirectory.Entry] = [:]
    for entry in directory.entries where entry.name.hasPrefix(folder) {
      entries[String(entry.name.dropFirst(folder.count))] = entry
    }
    if let order = entries["byteorder"] {
      try file.verify(order.bytes, checksum: order.checksum, name: order.name)
      guard order.bytes.count <= 16, try file.bytes(order.bytes) == Array("little".utf8) else {
        throw file.refuse("an archive that was not written little-endian")
      }
    }
    try file.verify(pickle.bytes, checksum: pickle.checksum, name: pickle.name)
    var machine = PickleMachine(ByteCursor(file, pickle.bytes), storages: .entries(entries))
    let document = try machine.run()
    guard machine.cursor.remaining == 0 else {
      throw machine.refuse("\(machine.cursor.remaining) bytes follow the pickle")
    }
    return document
  }
}
