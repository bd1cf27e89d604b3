import Diagnostics

/// Interprets one pickle (protocols 2 to 5) as data.
///
/// The opcodes are those of the binary protocols; the names stand for what `PickleGlobal` says, and what others would make
/// is an opaque value. No opcode runs anything. Sizes are compared with the bytes that are left before anything is
/// allocated.
struct PickleMachine {
  /// How persistent ids and nested archives are resolved.
  enum Storages {
    /// A plain pickle: storages stand in nested archives.
    case nested
    /// torch.save's old form: the data follow the pickle.
    case following
    /// torch.save's zip form: an entry for each storage.
    case entries([String: ZipDirectory.Entry])
  }

  var cursor: ByteCursor
  let storages: Storages
  var document = PickleDocument()
  private var stack: [PickleValue] = []
  /// Heights of the stack at the open marks.
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  private var elements = 0
  /// Opaque values of the same kind are one.
  var opaqueByTitle: [String: Int] = [:]
  /// Storages of the same archive and key are one.
  private var storageByKey: [String: Int] = [:]
  /// Storages of nested archives by the archive's first byte.
  var nestedStorages: [Int: Int] = [:]

  init(_ cursor: ByteCursor, storages: Storages) {
    self.cursor = cursor
    self.storages = storages
  }

  /// Reads one pickle and leaves the cursor behind it.
  mutating func run() throws -> PickleDocument {
    guard cursor.remaining > 0 else { throw refuse("empty where a pickle is expected") }
    // Protocols 0 and 1 do not say which they are.
    guard try cursor.byte() == 0x80 else {
      throw refuse("not a pickle of protocol 2 to 5", remedy: Self.protocolRemedy)
    }
    let version = try cursor.byte()
    guard (2...5).contains(version) else {
      throw refuse("pickle protocol \(version); protocols 2 to 5 are read", remedy: Self.protocolRemedy)
    }
    while true {
      try Interruption.check()
      let opcode = try cursor.byte()
      if opcode == 0x2E { break }
      try execute(opcode)
    }
    guard stack.count == 1, marks.isEmpty else {
      throw refuse("the pickle ends with \(stack.count) values where 1 is expected")
    }
    document.root = stack[0]
    return document
  }

  static let protocolRemedy =
    "save it with PyTorch's own protocol: torch.save(torch.load(FILE), OUT), without pickle_protocol"

  private mutating func execute(_ opcode: UInt8) throws {
    switch opcode {
    // Atoms.
    case UInt8(ascii: "N"): try push(.none)
    case 0x88: try push(.bool(true))
    case 0x89: try push(.bool(false))
    case UInt8(ascii: "J"): try push(.integer(Int(Int32(bitPattern: try cursor.number(UInt32.self)))))
    case UInt8(ascii: "K"): try push(.integer(Int(try cursor.byte())))
    case UInt8(ascii: "M"): try push(.integer(Int(try cursor.number(UInt16.self))))
    case 0x8A: try push(try longInteger(Int(try cursor.byte())))
    case 0x8B: try push(try longInteger(Int(try cursor.number(UInt32.self))))
    case UInt8(ascii: "G"): try push(.real(Double(bitPattern: try cursor.number(UInt64.self).byteSwapped)))
    case 0x8C: try push(.text(try cursor.text(try cursor.byte())))
    case UInt8(ascii: "X"): try push(.text(try cursor.text(try cursor.number(UInt32.self))))
    case 0x8D: try push(.text(try cursor.text(try cursor.number(UInt64.self))))
    case UInt8(ascii: "U"): try push(try byteText(Int(try cursor.byte())))
    case UInt8(ascii: "T"): try push(try byteText(Int(try cursor.number(UInt32.self))))
    case UInt8(ascii: "C"): try push(.bytes(try cursor.skip(try cursor.byte(), what: "a byte string")))
    case UInt8(ascii: "B"): try push(.bytes(try cursor.skip(try cursor.number(UInt32.self), what: "a byte string")))
    case 0x8E, 0x96: try push(.bytes(try cursor.skip(try cursor.number(UInt64.self), what: "a byte string")))
    // Containers.
    case UInt8(ascii: "("):
      guard marks.count < PickleLimits.nesting else {
        throw refuse("nested deeper than \(PickleLimits.nesting) levels")
      }
      marks.append(stack.count)
    case UInt8(ascii: "}"): try push(.dictionary(try newDictionary()))
    case UInt8(ascii: "]"): try push(.list(try newSequence([])))
    case UInt8(ascii: ")"): try push(.tuple(try newSequence([])))
    case 0x8F: try push(.set(try newSequence([])))
    case 0x91: try push(.set(try newSequence(try popToMark())))
    case UInt8(ascii: "t"): try push(.tuple(try newSequence(try popToMark())))
    case 0x85: try pushTuple(of: 1)
    case 0x86: try pushTuple(of: 2)
    case 0x87: try pushTuple(of: 3)
    case UInt8(ascii: "a"): try append([try pop()], to: try top())
    case UInt8(ascii: "e"), 0x90: try append(try popToMark(), to: try top())
    case UInt8(ascii: "s"):
      let value = try pop()
      try assign([try pop(), value], to: try top())
    case UInt8(ascii: "u"): try assign(try popToMark(), to: try top())
    // Stack and memo.
    case UInt8(ascii: "0"): _ = try pop()
    case UInt8(ascii: "2"): try push(try top())
    case UInt8(ascii: "1"): _ = try popToMark()
    case 0x94: try remember(memo.count)
    case UInt8(ascii: "q"): try remember(Int(try cursor.byte()))
    case UInt8(ascii: "r"): try remember(Int(try cursor.number(UInt32.self)))
    case UInt8(ascii: "h"): try recall(Int(try cursor.byte()))
    case UInt8(ascii: "j"): try recall(Int(try cursor.number(UInt32.self)))
    case 0x95:
      let length = try cursor.number(UInt64.self)
      guard length <= UInt64(cursor.remaining) else {
        throw refuse(
          "a frame of \(length) bytes where only \(cursor.remaining) are left",
          remedy: "the file is truncated or damaged")
      }
    // Objects.
    case UInt8(ascii: "c"):
      let module = try cursor.line()
      try push(.global(try global(module, try cursor.line())))
    case 0x93:
      guard case .text(let name) = try pop(), case .text(let module) = try pop() else {
        throw refuse("a global whose name is not text")
      }
      try push(.global(try global(module, name)))
    case UInt8(ascii: "R"):
      let arguments = try popArguments()
      try push(try call(try pop(), arguments))
    case 0x81:
      let arguments = try popArguments()
      try push(try instantiate(try pop(), arguments))
    case 0x92:
      let keywords = try pop()
      guard case .dictionary(let index) = keywords else { throw refuse("keyword arguments that are no dictionary") }
      let arguments = try popArguments()
      try push(
        try instantiate(
          try pop(), document.dictionaries[index].keys.isEmpty ? arguments : arguments + [keywords]))
    case UInt8(ascii: "i"):
      let module = try cursor.line()
      let class_ = PickleValue.global(try global(module, try cursor.line()))
      try push(try instantiate(class_, try popToMark()))
    case UInt8(ascii: "o"):
      let items = try popToMark()
      guard let class_ = items.first else { throw refuse("an object without its class") }
      try push(try instantiate(class_, Array(items.dropFirst())))
    case 0x82: try push(try opaque("extension \(try cursor.byte())"))
    case 0x83: try push(try opaque("extension \(try cursor.number(UInt16.self))"))
    case 0x84: try push(try opaque("extension \(try cursor.number(UInt32.self))"))
    case UInt8(ascii: "b"):
      let state = try pop()
      try build(try top(), state)
    case UInt8(ascii: "Q"): try push(try persistent(try pop()))
    default:
      throw refuse("opcode 0x\(String(opcode, radix: 16)) is not one that checkpoints use")
    }
  }

  /// The failure for content that cannot be accepted.
  func refuse(_ problem: String, remedy: String? = nil) -> Failure { cursor.refuse(problem, remedy: remedy) }
}

// MARK: Stack, memo and containers

extension PickleMachine {
  private mutating func push(_ value: PickleValue) throws {
    guard stack.count < PickleLimits.values else {
      throw refuse("more than \(PickleLimits.values) values on the stack")
    }
    stack.append(value)
  }

  private mutating func pop() throws -> PickleValue {
    guard stack.count > marks.last ?? 0, let value = stack.popLast() else {
      throw refuse("a value is missing on the stack")
    }
    return value
  }

  private func top() throws -> PickleValue {
    guard stack.count > marks.last ?? 0, let value = stack.last else { throw refuse("a value is missing on the stack") }
    return value
  }

  private mutating func popToMark() throws -> [PickleValue] {
    guard let mark = marks.popLast() else { throw refuse("a mark is missing on the stack") }
    let items = Array(stack[mark...])
    stack.removeSubrange(mark...)
    return items
  }

  private mutating func pushTuple(of count: Int) throws {
    var items: [PickleValue] = []
    for _ in 0..<count { items.append(try pop()) }
    try push(.tuple(try newSequence(items.reversed())))
  }

  private mutating func popArguments() throws -> [PickleValue] {
    guard case .tuple(let index) = try pop() else { throw refuse("arguments that are not a tuple") }
    return document.sequences[index]
  }

  private mutating func remember(_ key: Int) throws {
    guard memo.count < PickleLimits.values else { throw refuse("more than \(PickleLimits.values) entries in the memo") }
    memo[key] = try top()
  }

  private mutating func recall(_ key: Int) throws {
    guard let value = memo[key] else { throw refuse("entry \(key) of the memo is read but was never written") }
    try push(value)
  }

  mutating func count(_ added: Int) throws {
    elements += added
    guard elements <= PickleLimits.elements, document.sequences.count < PickleLimits.values,
      document.dictionaries.count < PickleLimits.values
    else { throw refuse("more than \(PickleLimits.elements) elements in containers") }
  }

  mutating func newSequence(_ items: [PickleValue]) throws -> Int {
    try count(items.count)
    document.sequences.append(items)
    return document.sequences.count - 1
  }

  mutating func newDictionary() throws -> Int {
    try count(0)
    document.dictionaries.append(PickleDictionary())
    return document.dictionaries.count - 1
  }

  private mutating func append(_ items: [PickleValue], to target: PickleValue) throws {
    switch target {
    case .list(let index), .set(let index):
      try count(items.count)
      document.sequences[index].append(contentsOf: items)
    case .opaque: break
    default: throw refuse("elements are added to what is no list or set")
    }
  }

  /// Sets alternating keys and values.
  mutating func assign(_ items: [PickleValue], to target: PickleValue) throws {
    if case .opaque = target { return }
    guard case .dictionary(let index) = target else { throw refuse("items are set in what is no dictionary") }
    guard items.count % 2 == 0 else { throw refuse("a key without a value") }
    try count(items.count / 2)
    for i in stride(from: 0, to: items.count, by: 2) {
      switch items[i] {
      // Hashing is what a repeated long key could make slow.
      case .text(let key) where key.utf8.count <= 1024: document.dictionaries[index].set(.text(key), items[i + 1])
      case .integer(let key): document.dictionaries[index].set(.integer(key), items[i + 1])
      case .bool(let key): document.dictionaries[index].set(.integer(key ? 1 : 0), items[i + 1])
      case .list, .dictionary: throw refuse("a dictionary key that can change")
      default: document.dictionaries[index].add(items[i + 1])
      }
    }
  }

  /// The storage of a key, made once.
  mutating func storage(_ storage: Storage) throws -> Int {
    if let known = storageByKey[storage.key] {
      let other = document.storages[known]
      guard other.type == storage.type, other.count == storage.count else {
        throw refuse("storage \(storage.key) is declared twice with different sizes or types")
      }
      return known
    }
    storageByKey[storage.key] = document.storages.count
    document.storages.append(storage)
    return document.storages.count - 1
  }
}
