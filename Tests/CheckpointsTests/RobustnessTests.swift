import Checkpoints
import Diagnostics
import Foundation
import TestSupport
import Testing

/// Damaged and hostile files: an error with one line, quickly, without memory for what a file merely claims.
@Suite("Hostile files are refused", .serialized)
struct RobustnessTests {
  /// What the line must name.
  static let faults: [(file: String, names: String)] = [
    ("empty_file.pkl", "empty"),
    ("evil_reduce_os_system.pkl", "posix.system"),
    ("evil_reduce_os_system_in_zip.pt", "posix.system"),
    ("legacy_storage_count_bigger_than_file.pt", "storage"),
    ("not_a_checkpoint_png_header.pkl", "neither a pickle"),
    ("only_proto_and_stop.pkl", "0 values"),
    ("pickle_binunicode8_length_2e62.pkl", "4611686018427387904 bytes"),
    ("pickle_frame_longer_than_file.pkl", "frame"),
    ("pickle_memo_get_never_put.pkl", "memo"),
    ("pickle_nested_lists_100000.pkl", "nested deeper"),
    ("pickle_nested_tuples_200000.pkl", "does not hold a dictionary"),
    ("pickle_self_containing_list.pkl", "does not hold a dictionary"),
    ("pickle_unknown_global.pkl", "my.secret.module.Thing"),
    ("safetensors_header_length_huge.safetensors", "header"),
    ("safetensors_offsets_beyond_end.safetensors", "data_offsets"),
    ("safetensors_shape_product_overflows.safetensors", "shape"),
    ("truncated_half.pkl", "left"),
    ("truncated_last_byte.pkl", "left"),
    ("truncated_zip_no_central_directory.pt", "central directory"),
    ("zip_bomb_declares_10GB.pt", "compressed"),
    ("zip_bomb_real_ratio_1000_expands_to_64MB.pt", "compressed"),
    ("zip_storage_declared_bigger_than_entry.pt", "declared"),
    ("zip_wrong_crc.pt", "checksum"),
  ]

  @Test("Each for its own fault", arguments: faults)
  func refused(file: String, names: String) throws {
    let before = residentBytes()
    let failure = #expect(throws: Failure.self) {
      try Self.readEverything(Fixtures.path("golden/robustness/" + file))
    }
    #expect(failure?.status == .dataError)
    #expect(failure?.description.contains(names) == true, "\(String(describing: failure))")
    #expect(failure?.description.contains("\n") == false)
    #expect(residentBytes() - before < 1 << 30)
  }

  @Test(
    "Files that are well formed load",
    arguments: ["ok_tiny_reference.pkl", "all_weights_nan.pkl", "wrong_shape_for_config.pkl"])
  func accepted(file: String) throws {
    #expect(try Self.readEverything(Fixtures.path("golden/robustness/" + file)) > 100)
  }

  @Test("The list covers every file that is there")
  func complete() throws {
    let known = Set(
      Self.faults.map(\.file) + ["ok_tiny_reference.pkl", "all_weights_nan.pkl", "wrong_shape_for_config.pkl"])
    let found = try FileManager.default.contentsOfDirectory(atPath: Fixtures.path("golden/robustness"))
    #expect(Set(found).isSubset(of: known))
  }

  @Test("A file that is missing is a missing input; a folder or a pipe is no checkpoint")
  func noFile() throws {
    let folder = try TemporaryFolder()
    #expect(throws: Failure.self) { try Checkpoint.open(folder.path) }
    mkfifo(folder.file("pipe"), 0o600)
    #expect(throws: Failure.self) { try Checkpoint.open(folder.file("pipe")) }
    let missing = #expect(throws: Failure.self) { try Checkpoint.open(folder.file("missing.pkl")) }
    #expect(missing?.status == .noInput)
  }

  @Test("Opening reads the index alone: a file of 4 GiB takes no memory until a tensor is asked for")
  func lazy() throws {
    let folder = try TemporaryFolder()
    let header =
      #"{"big":{"dtype":"F32","shape":[1073741823],"data_offsets":[0,4294967292]},"#
      + #""small":{"dtype":"F32","shape":[2,3],"data_offsets":[4294967292,4294967316]}}"#
    var data = Data()
    withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { data.append(contentsOf: $0) }
    data.append(contentsOf: header.utf8)
    try data.write(to: URL(fileURLWithPath: folder.file("big")))
    // The data are a hole in the file.
    #expect(truncate(folder.file("big"), off_t(data.count + 4_294_967_316)) == 0)
    let before = residentBytes()
    let tensors = try Checkpoint.open(folder.file("big")).stateDictionary()
    #expect(tensors.shape(of: "big") == [1_073_741_823])
    #expect(try tensors.tensor("small").values == [0, 0, 0, 0, 0, 0])
    #expect(residentBytes() - before < 1 << 30)
  }

  @Test("Every prefix of a checkpoint is refused", arguments: ["ok_tiny_reference.pkl", "zip_wrong_crc.pt"])
  func truncated(file: String) throws {
    let folder = try TemporaryFolder()
    let whole = try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("golden/robustness/" + file)))
    for count in stride(from: 0, to: whole.count, by: max(1, whole.count / 300)) {
      try whole.prefix(count).write(to: URL(fileURLWithPath: folder.file("part")))
      #expect(throws: Failure.self, "\(count) bytes") { try Self.readEverything(folder.file("part")) }
    }
  }

  @Test(
    "Random damage gives an error or other data, and never ends the process",
    arguments: [
      "robustness/ok_tiny_reference.pkl", "robustness/zip_wrong_crc.pt", "robustness/zip_bomb_declares_10GB.pt",
      "robustness/legacy_storage_count_bigger_than_file.pt", "robustness/safetensors_offsets_beyond_end.safetensors",
      "checkpoints/sid_a_training-state-000000.pt",
    ])
  func damaged(file: String) throws {
    let folder = try TemporaryFolder()
    let whole = try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("golden/" + file)))
    var random = SplitMix(state: 1)
    // The index, where structure is, is at the beginning of a pickle and at both ends of an archive.
    for round in 0..<(whole.count > 1 << 20 ? 60 : 300) {
      var damaged = whole
      for _ in 0..<(1 + round % 3) {
        let reach = round % 2 == 0 ? min(whole.count, 4000) : whole.count
        let place = Int(random.next() % UInt64(reach))
        let index = damaged.startIndex + (round % 4 == 3 ? damaged.count - 1 - place : place)
        damaged[index] =
          round % 5 == 0 ? [0, 0xFF, 0x7F, 0x80][Int(random.next() % 4)] : UInt8(truncatingIfNeeded: random.next())
      }
      try damaged.write(to: URL(fileURLWithPath: folder.file("x")))
      do {
        try Self.readEverything(folder.file("x"))
      } catch {
        #expect(error is Failure, "\(error)")
      }
    }
  }

  /// A seeded source of random numbers.
  private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
  }

  /// Reads all tensors of a checkpoint. Returns how many there are.
  @discardableResult
  static func readEverything(_ path: String) throws -> Int {
    let checkpoint = try Checkpoint.open(path)
    var count = 0
    for key in checkpoint.keys { _ = checkpoint.plainValue(key) }
    if checkpoint.keys.contains("g_optimizer_state") { _ = try checkpoint.optimizerState("g_optimizer_state") }
    _ = checkpoint.items
    if checkpoint.moduleKeys.isEmpty {
      let tensors = try checkpoint.stateDictionary()
      for name in tensors.tensorNames { count += try tensors.tensor(name).shape.count >= 0 ? 1 : 0 }
    }
    for key in checkpoint.moduleKeys {
      let module = try checkpoint.module(key)
      for name in module.tensorNames { count += try module.tensor(name).shape.count >= 0 ? 1 : 0 }
    }
    return count
  }

  /// Memory of this process. Other tests run beside these, hence the generous limit of 1 GiB.
  private func residentBytes() -> Int {
    let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
    return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4096 : 0
  }
}
