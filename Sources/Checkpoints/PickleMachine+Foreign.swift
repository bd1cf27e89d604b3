import Diagnostics

/// What is not known: names of other packages, and what they would make. Nothing is called.
extension PickleMachine {
  /// A value of which nothing is known but what it is.
  mutating func opaque(_ title: String) throws -> PickleValue {
    // One may be made of another any number of times.
    let title = title.utf8.count <= 1024 ? title : "object"
    if let known = opaqueByTitle[title] { return .opaque(known) }
    try count(1)
    opaqueByTitle[title] = document.opaque.count
    document.opaque.append(title)
    return .opaque(document.opaque.count - 1)
  }

  /// A tensor of a class of its own, or with attributes: what it is rebuilt from.
  mutating func tensorOfType(_ arguments: [PickleValue]) throws -> PickleValue {
    guard arguments.count >= 3, case .global(let rebuild) = arguments[0], case .tuple(let inner) = arguments[2],
      [.rebuildTensor, .rebuildParameter].contains(rebuild), case .global(.foreign(let type)) = arguments[1],
      ["torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer"]
        .contains(type)
    else { return try opaque("tensor of another class") }
    return try reduce(rebuild, document.sequences[inner])
  }

  /// A storage of elements that are not read.
  mutating func foreignStorage(
    _ type: String, elementBytes: Int?, key: PickleValue, count: PickleValue
  ) throws -> PickleValue {
    guard case .text(let key) = key, case .integer(let count) = count, count >= 0 else {
      throw refuse("a persistent id that is not ('storage', class, key, device, count)")
    }
    if case .following = storages {
      guard let elementBytes else {
        throw refuse("storage \(key) is a \(type), whose elements are of unknown size", remedy: "save the file again")
      }
      try self.count(1)
      document.foreignStorages[key] = (count, elementBytes)
    }
    return try opaque(type)
  }

  /// What a foreign name makes: nothing is called.
  mutating func foreign(_ name: String, _ arguments: [PickleValue]) throws -> PickleValue {
    switch name {
    case "builtins.getattr", "__builtin__.getattr":
      // An attribute of what is opaque: an enumeration's member, a method.
      guard arguments.count >= 2, case .text(let attribute) = arguments[1], !PickleForeign.isMachinery(attribute) else {
        throw refuse(
          "the pickle reaches for an attribute of Python's own workings; nothing was executed",
          remedy: "use a file from a source you trust")
      }
      guard let owner = title(of: arguments[0]) else { return try opaque("attribute") }
      return try opaque("\(owner).\(attribute.prefix(256))")
    // These make an object of the class that is their first argument.
    case "copyreg._reconstructor", "copyreg.__newobj__", "copyreg.__newobj_ex__", "copy_reg._reconstructor",
      "copy_reg.__newobj__", "functools.partial", "numpy.core.multiarray._reconstruct",
      "numpy._core.multiarray._reconstruct":
      return try opaque(arguments.first.flatMap { title(of: $0) } ?? name)
    default: return try opaque(name)
    }
  }

  private func title(of value: PickleValue) -> String? {
    switch value {
    case .global(let global): global.title
    case .opaque(let index): document.opaque[index]
    default: nil
    }
  }
}
