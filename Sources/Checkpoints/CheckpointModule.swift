import Compute
import Files

/// A network that was saved as an object: its classes, how it was made, its attributes and its tensors.
///
/// It is also a `TensorSource`, with PyTorch's state_dict names.
public struct CheckpointModule: TensorSource, Sendable {
  /// The class of the object, `EDMPrecond` for a preconditioned network.
  public let className: String
  /// The class of its child `model`, `SongUNet` for example; nil where it has none.
  public let modelClassName: String?
  /// The keyword arguments the object was made with; those that are not plain values are left out.
  public let initKeywords: [String: PlainValue]
  /// How many positional arguments it was made with: none in any file of EDM or SiD.
  public let initPositionalCount: Int
  /// The object's plain attributes, such as `sigma_min`; names that begin with an underscore are left out.
  public let attributes: [String: PlainValue]
  /// What is neither plain nor read otherwise: attributes and keyword arguments of the object and of its child `model`,
  /// by name, in words what each is. None of them may be needed.
  public let opaque: (attributes: [String: String], keywords: [String: String])
  /// The keyword arguments its child `model` was made with.
  public let modelInitKeywords: [String: PlainValue]
  /// The plain attributes of its child `model`.
  public let modelAttributes: [String: PlainValue]
  /// Parameters and buffers in state_dict order.
  public let tensors: CheckpointTensors

  /// Names in state_dict order.
  public var tensorNames: [String] { tensors.tensorNames }
  /// The shape of one tensor, or nil where there is none of that name.
  public func shape(of name: String) -> [Int]? { tensors.shape(of: name) }
  /// The elements of one tensor, widened to float32.
  /// - Throws: `dataError` where there is no such tensor or its checksum is wrong, `ioError` where reading fails.
  public func tensor(_ name: String) throws -> Tensor { try tensors.tensor(name) }

  init(_ index: Int, of document: PickleDocument, file: CheckpointFile) throws {
    let index = document.unwrapped(index)
    let object = document.objects[index]
    guard let state = object.state.map({ document.dictionaries[$0] }) else {
      throw file.refuse("the \(object.className) has no attributes")
    }
    var walker = ModuleWalker(document: document, file: file)
    try walker.walk(index, prefix: "", depth: 0)
    className = object.className
    tensors = try CheckpointTensors(walker.entries, file: file)
    initKeywords = document.plainDictionary(state["_init_kwargs"])
    initPositionalCount = document.items(state["_init_args"])?.count ?? 0
    attributes = document.plainAttributes(state)
    var opaque = (
      attributes: document.opaqueEntries(state),
      keywords: document.dictionary(state["_init_kwargs"]).map { document.opaqueEntries($0) } ?? [:]
    )
    if case .object(let child)? = document.dictionary(state["_modules"])?["model"],
      let childState = document.objects[child].state.map({ document.dictionaries[$0] })
    {
      modelClassName = document.objects[child].className
      modelInitKeywords = document.plainDictionary(childState["_init_kwargs"])
      modelAttributes = document.plainAttributes(childState)
      opaque.attributes.merge(document.opaqueEntries(childState)) { outer, _ in outer }
    } else {
      modelClassName = nil
      modelInitKeywords = [:]
      modelAttributes = [:]
    }
    self.opaque = opaque
  }
}

extension PickleDocument {
  /// The network inside DataParallel and the like, which hold it as their only child.
  fileprivate func unwrapped(_ index: Int) -> Int {
    var index = index
    for _ in 0..<8 {
      guard ["DataParallel", "DistributedDataParallel"].contains(objects[index].className),
        let state = objects[index].state, let children = dictionary(dictionaries[state]["_modules"]),
        case .object(let child)? = children["module"]
      else { return index }
      index = child
    }
    return index
  }
}

/// Collects parameters and buffers as PyTorch's `state_dict` does: a module's own first, then its children's.
private struct ModuleWalker {
  let document: PickleDocument
  let file: CheckpointFile
  var entries: [(name: String, tensor: StoredTensor)] = []
  private var visited = 0

  init(document: PickleDocument, file: CheckpointFile) {
    self.document = document
    self.file = file
  }

  mutating func walk(_ index: Int, prefix: String, depth: Int) throws {
    let object = document.objects[index]
    visited += 1
    // A module that stands in two places is two; without a limit a few could be millions.
    guard depth <= PickleLimits.moduleNesting, visited <= PickleLimits.tensorsOfNetwork else {
      throw file.refuse("the modules are nested deeper than \(PickleLimits.moduleNesting) levels or are too many")
    }
    guard let state = object.state.map({ document.dictionaries[$0] }) else {
      throw file.refuse("the module \(prefix)(\(object.className)) has no attributes")
    }
    let nonPersistent = Set(document.items(state["_non_persistent_buffers_set"])?.compactMap(\.textValue) ?? [])
    try collect(state["_parameters"], prefix: prefix, skipping: [])
    try collect(state["_buffers"], prefix: prefix, skipping: nonPersistent)
    guard let children = state["_modules"] else { return }
    guard let children = document.dictionary(children) else {
      throw file.refuse("the children of module \(prefix)(\(object.className)) are not a dictionary")
    }
    for (key, value) in zip(children.keys, children.values) {
      guard case .text(let name) = key else { throw file.refuse("module \(prefix) has a child without a name") }
      switch value {
      case .none: continue
      case .object(let child): try walk(child, prefix: prefix + name + ".", depth: depth + 1)
      default:
        throw file.refuse("the child \(prefix)\(name) is no module but \(document.description(of: value))")
      }
    }
  }

  private mutating func collect(_ value: PickleValue?, prefix: String, skipping: Set<String>) throws {
    guard let value else { return }
    guard let dictionary = document.dictionary(value) else {
      throw file.refuse("the parameters of module \(prefix) are not a dictionary")
    }
    for (key, value) in zip(dictionary.keys, dictionary.values) {
      guard case .text(let name) = key else { throw file.refuse("module \(prefix) has a parameter without a name") }
      switch value {
      case .none: continue
      case .tensor(let index):
        if !skipping.contains(name) { entries.append((prefix + name, document.tensor(index))) }
      default:
        throw file.refuse("the parameter \(prefix)\(name) is no tensor but \(document.description(of: value))")
      }
      guard entries.count <= PickleLimits.tensorsOfNetwork else {
        throw file.refuse("a network of more than \(PickleLimits.tensorsOfNetwork) tensors")
      }
    }
  }
}
